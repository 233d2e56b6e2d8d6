import type { ConfigData, NewEvent } from "../../cloud-sync/contract/event.ts";
import { edgeStreamOf } from "../../cloud-sync/contract/event.ts";
import { Recorder } from "../drivers/recorder.ts";
import type { LoadedConfig } from "../kernel/config/load.ts";
import type { EventLog } from "../log/event-log.ts";
import { LogKeeper } from "../log/keep/keeper.ts";
import { machineConfigEvents } from "./config-events.ts";
import { Connections } from "./connections.ts";
import type { PartDeps } from "./part.ts";

/** Polls the machines into the log and keeps the log in order. */
export async function startCollector(
  log: EventLog,
  loaded: LoadedConfig,
  { clock, logger, supervisor, inForce }: PartDeps,
): Promise<Recorder> {
  const { config, path } = loaded;
  const edgeStream = edgeStreamOf(config.site);
  const recorder = new Recorder({ log, clock, logger, tickMs: config.log.commitIntervalMs });
  const publish = (event: NewEvent): void => recorder.publish(event);
  const publishConfig = (data: ConfigData): void =>
    publish({ type: "config", machineId: edgeStream, timeMs: clock.nowMs(), data });
  const connections = new Connections({
    clock,
    logger,
    accept: (samples) => recorder.accept(samples),
    publish,
    supervise: (component) => supervisor.supervise(component),
  });
  await log.append(machineConfigEvents(config, log, clock.nowMs()), "now");
  supervisor.supervise(recorder, { essential: true });
  supervisor.supervise(new LogKeeper({ log, clock, logger }));
  await connections.start(config);
  inForce.add({
    apply: async (next, changes) => {
      await log.append(machineConfigEvents(next.config, log, clock.nowMs()), "now");
      const sentences = changes.map(({ sentence }) => sentence);
      publishConfig({ kind: "applied", path: next.path, sha256: next.sha256, problems: [], changes: sentences });
      await connections.change(next.config, changes);
    },
    refused: (problems, sha256) => publishConfig({ kind: "refused", path, sha256, problems, changes: [] }),
  });
  return recorder;
}
