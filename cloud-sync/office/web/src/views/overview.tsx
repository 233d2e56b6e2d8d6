import type { Overview as OverviewData } from "../../../../services/query/overview/schema.ts";
import { useData } from "../data/use-data.ts";
import { FactoryTile } from "../parts/factory-tile.tsx";
import { isTroubled } from "../parts/factory-trouble.ts";
import { Problem } from "../parts/problem.tsx";
import { counted } from "../words.ts";

const EVERY_MS = 1_500;

/** All factories on one screen. */
export function Overview({ nowMs }: { nowMs: number }) {
  const { data, error } = useData<OverviewData>("/api/query/overview", {}, EVERY_MS);
  if (data === undefined) return error === undefined ? <p class="empty">Loading …</p> : <Problem error={error} />;
  const { factories } = data;
  if (factories.length === 0)
    return (
      <section class="empty">
        <h1>No factory yet</h1>
        <p>
          A factory appears here within seconds of its first reading, or when an administrator adds it under{" "}
          <a href="#/metadata?kind=factory">Metadata</a>. To look around first,{" "}
          <code>npx tailstock demo --factories 5</code> runs five simulated ones.
        </p>
      </section>
    );
  const sum = (of: (factory: OverviewData["factories"][number]) => number) =>
    factories.reduce((total, factory) => total + of(factory), 0);
  const machines = sum(({ machines: { total } }) => total);
  const running = sum(({ machines: { byState } }) => byState.running ?? 0);
  // Ages are by the server's clock: a browser's may be wrong.
  const troubled = factories.filter((factory) => isTroubled(factory, data.nowMs)).length;
  return (
    <section>
      <div class="view-head">
        <h1>Overview</h1>
        <p class="sum num">
          <span>
            <b>{factories.length}</b> {factories.length === 1 ? "factory" : "factories"}
          </span>
          <span>
            <b>{machines}</b> {machines === 1 ? "machine" : "machines"}
          </span>
          <span>
            <b>{running}</b> running
          </span>
          <span class={troubled > 0 ? "attention" : ""}>
            {troubled > 0 ? `${counted(troubled, "factory", "factories")} to look at` : "nothing out of the ordinary"}
          </span>
        </p>
      </div>
      <ul class={factories.length > 6 ? "factories many" : "factories"}>
        {factories.map((factory) => (
          <FactoryTile
            key={factory.factoryId}
            factory={factory}
            nowMs={Math.max(data.nowMs, nowMs - drift(data.nowMs))}
          />
        ))}
      </ul>
    </section>
  );
}

/** How far this computer's clock is from the server's, as of the newest answer; measured once, so that ages go on between answers. */
let driftMs: number | null = null;
function drift(serverNowMs: number): number {
  const seen = Date.now() - serverNowMs;
  driftMs = driftMs === null || Math.abs(seen - driftMs) > 5_000 ? seen : Math.min(driftMs, seen);
  return driftMs;
}
