import { useState } from "preact/hooks";
import { machineStatusOf } from "../parts/machine-status.ts";
import { Tile } from "../parts/tile.tsx";
import { UplinkNotice } from "../parts/uplink-notice.tsx";
import type { Store } from "../store.ts";

const numeric = new Intl.Collator("en", { numeric: true });

export function Floor({ store, nowMs }: { store: Store; nowMs: number }) {
  const [attentionOnly, setAttentionOnly] = useState(false);
  const machines = [...store.machines.values()].sort((a, b) => numeric.compare(a.machineId, b.machineId));
  const judged = machines.map((machine) => ({ machine, status: machineStatusOf(machine, store, nowMs) }));
  const attention = judged.filter(
    ({ machine, status }) => status.level === "alarm" || status.level === "warn" || status.stale || machine.bad > 0,
  );
  const running = judged.filter(({ status }) => status.level === "running" && !status.stale).length;
  if (!store.loaded) return <p class="empty">{store.streamUp ? "Loading the floor …" : "Waiting for Tailstock …"}</p>;
  if (machines.length === 0) {
    return (
      <section class="empty">
        <h1>No machines yet</h1>
        <p>
          Machines appear here as soon as Tailstock records them. Add one under <code>machines:</code> in{" "}
          <code>tailstock.yaml</code>, check it with <code>npx tailstock config check tailstock.yaml</code> and start
          with <code>npx tailstock up</code>. To look around first, <code>npm start</code> runs a simulated factory.
        </p>
      </section>
    );
  }
  return (
    <section>
      <div class="view-head">
        <h1>Floor</h1>
        <p class="sum num">
          <span>
            <b>{machines.length}</b> {machines.length === 1 ? "machine" : "machines"}
          </span>
          <span>
            <b>{running}</b> running
          </span>
          <span class={attention.length > 0 ? "attention" : ""}>
            <b>{attention.length}</b> {attention.length === 1 ? "needs" : "need"} attention
          </span>
        </p>
        <label class="switch">
          <input type="checkbox" checked={attentionOnly} onChange={() => setAttentionOnly(!attentionOnly)} />
          Only those
        </label>
      </div>
      <UplinkNotice store={store} nowMs={nowMs} />
      {attentionOnly && attention.length === 0 ? (
        <p class="empty">Nothing needs attention. Every machine is connected and its signals are Good.</p>
      ) : (
        <ul class="tiles">
          {(attentionOnly ? attention : judged).map(({ machine }) => (
            <Tile key={machine.machineId} machine={machine} store={store} nowMs={nowMs} />
          ))}
        </ul>
      )}
    </section>
  );
}
