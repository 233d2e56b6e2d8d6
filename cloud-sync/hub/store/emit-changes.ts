import type { Logger } from "pino";
import type { Clock } from "../../../edge/kernel/clock.ts";
import { FailureLog } from "../../../edge/kernel/failure-log.ts";
import type { HubEventLog, Identity, JsonMap, Registry, Twin } from "../ports.ts";
import type { SqliteTwins } from "./twins.ts";

export interface EmitOptions {
  readonly events: HubEventLog;
  readonly registry: Registry;
  readonly twins: SqliteTwins;
  readonly hubName: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly twinChanges?: boolean;
  readonly lifecycle?: boolean;
}

/** Puts changes of twins and of the registry among the events, as IoT Hub's routes for them do. */
export function emitChanges({ events, registry, twins, hubName, clock, logger, ...which }: EmitOptions): void {
  const failures = new FailureLog(logger, clock, { component: "hub change events" });
  const emit = (source: Identity, messageSource: string, opType: string, body: JsonMap): void => {
    const properties = {
      hubName,
      deviceId: source.deviceId,
      ...(source.moduleId === undefined ? {} : { moduleId: source.moduleId }),
      opType,
      operationTimestamp: new Date(clock.nowMs()).toISOString(),
      "iothub-message-schema":
        messageSource === "twinChangeEvents" ? "twinChangeNotification" : "deviceLifecycleNotification",
    };
    const system = { contentType: "application/json", contentEncoding: "utf-8" };
    events.append({ source, messageSource, body: Buffer.from(JSON.stringify(body)), properties, system }).then(
      () => failures.recovered(),
      (error) => failures.failed(error),
    );
  };
  if (which.twinChanges) {
    twins.onChange((twin: Twin, change) =>
      emit(identityOf(twin), "twinChangeEvents", "updateTwin", { version: twin.version, ...change }),
    );
  }
  if (which.lifecycle) {
    registry.onChanged((identity, _entry, what) => {
      if (what === "updated") return;
      const kind = identity.moduleId === undefined ? "Device" : "Module";
      const verb = what === "created" ? "create" : "delete";
      emit(identity, "deviceLifecycleEvents", `${verb}${kind}Identity`, { ...identity });
    });
  }
}

function identityOf({ deviceId, moduleId }: Identity): Identity {
  return { deviceId, ...(moduleId === undefined ? {} : { moduleId }) };
}
