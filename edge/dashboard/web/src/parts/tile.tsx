import type { MachineSummary } from "../../../schemas/views.ts";
import { formatAge, formatAgo } from "../format.ts";
import { machineHref } from "../router.ts";
import type { Store } from "../store.ts";
import { machineStatusOf, readingsOf } from "./machine-status.ts";
import { Reading } from "./reading.tsx";

/** A machine on the floor. The whole tile is one link, so that a glove, a mouse and the Enter key all open it. */
export function Tile({ machine, store, nowMs }: { machine: MachineSummary; store: Store; nowMs: number }) {
  const { word, level, stale, link } = machineStatusOf(machine, store, nowMs);
  const ageMs = machine.updatedMs === null ? null : nowMs - machine.updatedMs;
  return (
    <li>
      <a
        class={`tile level-${level}${stale ? " stale" : ""}${machine.bad > 0 ? " has-bad" : ""}`}
        href={machineHref(machine.machineId)}
        data-machine={machine.machineId}
        aria-label={`${machine.name}, ${machine.typeName}, ${word}${stale ? ", stale" : ""}`}
      >
        <div class="tile-head">
          <div class="tile-name">
            <h2>{machine.name}</h2>
            <p>{machine.typeName || "\u00a0"}</p>
          </div>
          <span class="state">{word}</span>
        </div>
        <dl class="readings">
          {readingsOf(machine, word).map((signal) => (
            <Reading
              key={signal.name}
              signal={signal}
              decimals={store.digits.of(machine.machineId, signal.name, signal.value ?? signal.goodValue)}
              link={link}
              streamUp={store.streamUp}
              nowMs={nowMs}
            />
          ))}
        </dl>
        <div class="tile-foot">
          <span class="age num">
            {ageMs === null
              ? "no reading yet"
              : stale
                ? `stale ${formatAge(Math.max(2_000, ageMs))}`
                : `updated ${formatAgo(ageMs)}`}
          </span>
          <Quality machine={machine} />
        </div>
      </a>
    </li>
  );
}

/** Grey while all is well; colour names what is not. */
export function Quality({ machine }: { machine: MachineSummary }) {
  const { good, uncertain, bad, waiting } = machine;
  const total = good + uncertain + bad + waiting;
  if (total === 0) return <span class="quality">no signals</span>;
  if (bad === 0 && uncertain === 0 && waiting === 0) return <span class="quality num">{total} good</span>;
  return (
    <span class="quality num">
      {bad > 0 && <b class="bad">{bad} bad</b>}
      {uncertain > 0 && <b class="uncertain">{uncertain} uncertain</b>}
      {waiting > 0 && <span>{waiting} waiting</span>}
      <span>of {total}</span>
    </span>
  );
}
