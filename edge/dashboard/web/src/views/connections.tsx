import { statusName } from "../../../../kernel/status-code.ts";
import type { ConnectionView } from "../../../schemas/views.ts";
import { capitalized, formatAge, formatClock } from "../format.ts";
import { machineHref } from "../router.ts";
import { COLLECTOR_SILENT_MS } from "../staleness.ts";
import type { Store } from "../store.ts";

const PROBLEMS_SHOWN = 20;
const ORDER = { disconnected: 0, connecting: 1, degraded: 2, connected: 3 } as const;
const numeric = new Intl.Collator("en", { numeric: true });

export function Connections({ store, nowMs }: { store: Store; nowMs: number }) {
  const connections = [...store.connections.values()].sort(
    (a, b) => ORDER[a.state] - ORDER[b.state] || numeric.compare(a.connectionId, b.connectionId),
  );
  if (!store.loaded) return <p class="empty">Loading …</p>;
  if (connections.length === 0) {
    return (
      <section class="empty">
        <h1>No connections yet</h1>
        <p>
          A connection appears with its first report. Give a machine an <code>address:</code> in{" "}
          <code>tailstock.yaml</code>, for example <code>opc.tcp://192.168.1.20:4840</code>.
        </p>
      </section>
    );
  }
  const connected = connections.filter(({ state }) => state === "connected").length;
  return (
    <section>
      <div class="view-head">
        <h1>Connections</h1>
        <p class="sum num">
          <span>
            <b>{connected}</b> of <b>{connections.length}</b> connected
          </span>
        </p>
      </div>
      <ul class="connections">
        {connections.map((connection) => (
          <Connection key={connection.connectionId} connection={connection} store={store} nowMs={nowMs} />
        ))}
      </ul>
    </section>
  );
}

function Connection({ connection, store, nowMs }: { connection: ConnectionView; store: Store; nowMs: number }) {
  const { state, problems, counters, machineIds } = connection;
  const heardMs = Math.max(
    connection.reportedMs,
    ...machineIds.map((machineId) => store.machines.get(machineId)?.updatedMs ?? 0),
  );
  const silent = state !== "disconnected" && nowMs - heardMs > COLLECTOR_SILENT_MS;
  const level = state === "disconnected" ? "alarm" : state === "connected" && !silent ? "calm" : "warn";
  return (
    <li class={`connection level-${level}${store.streamUp ? "" : " stale"}`} data-connection={connection.connectionId}>
      <div class="connection-head">
        <div>
          <h2>{connection.connectionId}</h2>
          <p class="muted address">
            {connection.protocol === "opcua" ? "OPC UA" : "Modbus"} · {connection.address}
          </p>
        </div>
        <div class="connection-state">
          <span class="state">{silent ? "No report" : capitalized(state)}</span>
          <span class="muted num">
            for {formatAge(Math.max(2_000, nowMs - (silent ? heardMs : connection.sinceMs)))}, since{" "}
            {formatClock(silent ? heardMs : connection.sinceMs)}
          </span>
        </div>
      </div>
      <p class="detail">{connection.detail}</p>
      {connection.hint && <p class="notice hint">{connection.hint}</p>}
      {silent && (
        <p class="notice hint">The collector has stopped reporting. Check that it runs: npx tailstock status.</p>
      )}
      <dl class="counters num">
        {Object.entries(counters).map(([name, value]) => (
          <div key={name}>
            <dt>{words(name)}</dt>
            <dd>{value.toLocaleString("en")}</dd>
          </div>
        ))}
      </dl>
      {problems.length > 0 && (
        <details class="problems" open={problems.length <= 5}>
          <summary>
            {problems.length} {problems.length === 1 ? "problem" : "problems"}
          </summary>
          <ul>
            {problems.slice(0, PROBLEMS_SHOWN).map((problem) => (
              <li key={`${problem.machineId} ${problem.signal}`}>
                <b class="bad">{statusName(problem.statusCode)}</b> {problem.machineId} {problem.signal}:{" "}
                {problem.message} <em>{problem.hint}</em>
              </li>
            ))}
          </ul>
          {problems.length > PROBLEMS_SHOWN && <p class="muted">and {problems.length - PROBLEMS_SHOWN} more</p>}
        </details>
      )}
      <p class="machines-of">
        {machineIds.slice(0, 40).map((machineId) => (
          <a key={machineId} href={machineHref(machineId)}>
            {machineId.slice(machineId.indexOf("/") + 1)}
          </a>
        ))}
        {machineIds.length > 40 && <span class="muted">and {machineIds.length - 40} more</span>}
      </p>
    </li>
  );
}

/** "missedDeadlines" as a person reads it: "missed deadlines". */
function words(name: string): string {
  return name.replace(/([a-z0-9])([A-Z])/g, "$1 $2").toLowerCase();
}
