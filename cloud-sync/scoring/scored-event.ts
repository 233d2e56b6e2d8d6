import type { JsonObject, StoredEvent } from "../contract/event.ts";
import type { AnomalyData, ModelName, PredictionData } from "../contract/insight.ts";
import { SCORE_EPOCH_PREFIX } from "../store/telemetry-document.ts";
import type { Run } from "./readings.ts";

/**
 * The epoch of what one of the cloud's models said of a stream. A detector judges each signal by itself, so several signals of one event
 * may each have something said of them: its events have an epoch for each signal.
 */
export function scoreEpoch({ name, version }: ModelName, epoch: string, signal?: string): string {
  const of = signal === undefined ? "" : `#${encodeURIComponent(signal.toWellFormed())}`;
  return `${SCORE_EPOCH_PREFIX}${name}${of}@${version}/${epoch}`;
}

export function anomalyEvent(run: Run, event: number, data: AnomalyData): StoredEvent {
  const { signal, model } = data;
  return {
    type: "anomaly",
    ...derived(run, event, scoreEpoch(model, run.epoch, signal ?? undefined)),
    data: plain(data),
  };
}

export function predictionEvent(run: Run, event: number, data: PredictionData): StoredEvent {
  return { type: "prediction", ...derived(run, event, scoreEpoch(data.model, run.epoch)), data: plain(data) };
}

/** Time, entity and place of the telemetry; which one is in causedBy. */
function derived(run: Run, event: number, epoch: string) {
  const { machineId } = run;
  const seq = run.seq(event);
  return {
    epoch,
    machineId,
    seq,
    offset: run.offset(event),
    timeMs: run.timeMs(event),
    entityId: run.entityId(event),
    causedBy: `${run.epoch}/${machineId}/${seq}`,
  };
}

function plain(data: AnomalyData | PredictionData): JsonObject {
  return { ...data } as unknown as JsonObject;
}
