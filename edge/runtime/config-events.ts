import { isDeepStrictEqual } from "node:util";
import type { ConfigData, NewEvent, SignalInfo } from "../../cloud-sync/contract/event.ts";
import { edgeStreamOf } from "../../cloud-sync/contract/event.ts";
import type { Config, ModbusSignal, OpcuaSignal } from "../kernel/config/model.ts";
import type { LogReader } from "../log/event-log.ts";

/**
 * What the log must be told so that a reader of it alone knows the machines: one `config` event for each machine that is
 * new, changed or gone since its last one. An unchanged configuration gives none.
 */
export function machineConfigEvents(
  config: Config,
  log: Pick<LogReader, "streams" | "latest">,
  timeMs: number,
): NewEvent[] {
  const wanted = new Map<string, ConfigData>();
  for (const connection of config.connections) {
    for (const { machineId, typeName, signals } of connection.machines) {
      wanted.set(machineId, {
        kind: "machine",
        typeName,
        connectionId: connection.id,
        signals: signals.map(signalInfo),
      });
    }
  }
  for (const { machineId } of log.streams()) {
    if (wanted.has(machineId) || machineId === edgeStreamOf(config.site)) continue;
    const last = log.latest(machineId, "config");
    if (last?.type === "config" && last.data.kind === "machine") wanted.set(machineId, { kind: "removed" });
  }
  return [...wanted]
    .filter(([machineId, data]) => !isDeepStrictEqual(log.latest(machineId, "config")?.data, data))
    .map(([machineId, data]) => ({ type: "config", machineId, timeMs, data }));
}

function signalInfo(signal: OpcuaSignal | ModbusSignal): SignalInfo {
  const { name, title, unit, key, type } = signal;
  const intervalMs = "pollIntervalMs" in signal ? signal.pollIntervalMs : signal.samplingIntervalMs;
  return { name, title, unit, key, type, intervalMs, ...("mode" in signal ? { mode: signal.mode } : {}) };
}
