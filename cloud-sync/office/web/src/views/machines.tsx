import type { MachineView } from "../../../../services/query/machines/schema.ts";
import { usePages } from "../data/use-pages.ts";
import { Choice, FactoryFilter, Search, Segments } from "../parts/filters.tsx";
import { More } from "../parts/more.tsx";
import { needLevel, Remaining, Requirement, Sure } from "../parts/need.tsx";
import { machineHref, type Route, replaceParams } from "../router.ts";
import { age, stateLevel, stateWord } from "../words.ts";

const EVERY_MS = 5_000;
const STATES = ["running", "idle", "setup", "fault", "offline", "disconnected", "unknown"] as const;
const ORDERS = [
  ["need", "Maintenance need"],
  ["freshness", "Longest silent"],
  ["name", "Name"],
] as const;
const SILENT_MS = 600_000;

/** Machines of all factories; who needs hands first stands first. */
export function Machines({ route, nowMs }: { route: Route; nowMs: number }) {
  const value = (name: string): string => route.params.get(name) ?? "";
  const order = ORDERS.find(([each]) => each === value("order"))?.[0] ?? "need";
  const pages = usePages<MachineView>(
    "/api/query/machines",
    { factory: value("factory"), state: value("state"), text: value("text"), order, limit: 100 },
    ({ machineId }) => machineId,
    EVERY_MS,
  );
  return (
    <section>
      <div class="view-head">
        <h1>Machines</h1>
      </div>
      <div class="filters">
        <FactoryFilter value={value("factory")} onChange={(factory) => replaceParams(route, { factory })} />
        <Choice
          label="State"
          value={value("state")}
          choices={[["", "Any state"], ...STATES.map((state): [string, string] => [state, stateWord(state)])]}
          onChange={(state) => replaceParams(route, { state })}
        />
        <Segments
          label="Order"
          value={order}
          choices={ORDERS}
          onChange={(each) => replaceParams(route, { order: each })}
        />
        <Search label="Name, id or type" value={value("text")} onChange={(text) => replaceParams(route, { text })} />
      </div>
      <div class="sheet">
        <table class="list machines">
          <thead>
            <tr>
              <th scope="col" class="rank">
                #
              </th>
              <th scope="col">Machine</th>
              <th scope="col" class="w-state">
                State
              </th>
              <th scope="col" class="w-need">
                Maintenance
              </th>
              <th scope="col" class="w-hours">
                Time left
              </th>
              <th scope="col" class="w-sure number">
                Sure
              </th>
              <th scope="col" class="w-age number">
                Newest
              </th>
            </tr>
          </thead>
          <tbody>
            {pages.rows.map((machine, index) => (
              <Line key={machine.machineId} machine={machine} place={index + 1} nowMs={nowMs} />
            ))}
          </tbody>
        </table>
        <More pages={pages} empty="No machine is like that." />
      </div>
    </section>
  );
}

function Line({ machine, place, nowMs }: { machine: MachineView; place: number; nowMs: number }) {
  const { machineId, name, factoryId, typeName, state, need, newestMs, linkDetail } = machine;
  const isSilent = nowMs - newestMs > SILENT_MS;
  return (
    <tr class={`need-${needLevel(need)}`} data-machine={machineId}>
      <td class="rank num muted">{place}</td>
      <th scope="row">
        <a href={machineHref(machineId)}>{name}</a>
        <small>{[name === machineId ? factoryId : machineId, typeName].filter(Boolean).join(" · ")}</small>
      </th>
      <td class={`level-${stateLevel(state)}`}>
        <span class="state small" title={linkDetail ?? undefined}>
          {stateWord(state)}
        </span>
      </td>
      <td>
        <Requirement need={need} />
      </td>
      <td class="num">
        <Remaining need={need} />
      </td>
      <td class="num number">
        <Sure probability={need === null || need.requirement === "none" ? null : need.probability} />
      </td>
      <td class={`num number ${isSilent ? "uncertain" : "muted"}`}>{age(nowMs, newestMs)}</td>
    </tr>
  );
}
