import type { Store } from "../store.ts";
import { isHeldUp, keptSentence, uplinkSentence } from "./uplink-words.ts";

/** On the floor: only when the line to the cloud needs somebody. */
export function UplinkNotice({ store, nowMs }: { store: Store; nowMs: number }) {
  const { uplink } = store.uplink;
  if (!uplink || uplink.level === "calm") return null;
  const sentence = uplinkSentence(uplink, nowMs);
  return (
    <p class={`notice ${uplink.level}`} data-uplink={uplink.condition}>
      {sentence && <strong>{sentence} </strong>}
      {isHeldUp(uplink) && `${keptSentence(uplink)} `}
      {uplink.deadLetters > 0 && `${deadLettersText(uplink.deadLetters)} `}
      <a href="#/uplink">Details</a>
    </p>
  );
}

export function deadLettersText(count: number): string {
  return `${count} ${count === 1 ? "message was" : "messages were"} set aside because the hub cannot take ${count === 1 ? "it" : "them"}.`;
}
