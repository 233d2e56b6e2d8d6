import type { ComponentChildren } from "preact";
import type { UplinkView } from "../../../schemas/uplink.ts";
import { formatAge, formatAgo, formatClock, formatNumber } from "../format.ts";
import { deadLettersText } from "../parts/uplink-notice.tsx";
import {
  formatBytes,
  formatRoom,
  formatSince,
  isHeldUp,
  keptSentence,
  uplinkSentence,
  uplinkWord,
} from "../parts/uplink-words.ts";
import type { Store } from "../store.ts";

/** An error of an earlier time than this is history, unless the line is still down. */
const ERROR_SHOWN_MS = 15 * 60_000;

export function Uplink({ store, nowMs }: { store: Store; nowMs: number }) {
  const { configured, uplink } = store.uplink;
  if (!store.loaded) return <p class="empty">Loading …</p>;
  if (!configured) {
    return (
      <section class="empty">
        <h1>No line to a cloud</h1>
        <p>
          Readings stay on this box. To forward them to an IoT Hub, write an <code>uplink:</code> into{" "}
          <code>tailstock.yaml</code>; it takes effect without a restart.
        </p>
      </section>
    );
  }
  if (!uplink) {
    return (
      <section class="empty">
        <h1>The uplink has not reported yet</h1>
        <p>
          It does so when it starts. If this stays, look whether it runs: <code>npx tailstock uplink status</code>.
        </p>
      </section>
    );
  }
  return <Line uplink={uplink} streamUp={store.streamUp} nowMs={nowMs} />;
}

function Line({ uplink, streamUp, nowMs }: { uplink: UplinkView; streamUp: boolean; nowMs: number }) {
  const { level, condition, lastError, lanes, today, room } = uplink;
  const isUp = condition === "sending" || condition === "catching-up" || condition === "falling-behind";
  const showError = lastError !== null && (!isUp || nowMs - lastError.atMs < ERROR_SHOWN_MS);
  const sentence = uplinkSentence(uplink, nowMs);
  const isStale = !streamUp || condition === "silent";
  return (
    <section class={`uplink level-${level}${isStale ? " stale" : ""}`} data-uplink={condition}>
      <div class="view-head">
        <div>
          <h1>Line to the cloud</h1>
          <p class="muted address">{uplink.hub}</p>
        </div>
        <span class="state">{uplinkWord(uplink)}</span>
        <p class="sum num">
          <span>
            for {formatAge(Math.max(2_000, nowMs - uplink.sinceMs))}, since {formatSince(uplink.sinceMs, nowMs)}
          </span>
          <span>
            {uplink.lastAckMs === null
              ? "nothing acknowledged yet"
              : `acknowledged ${formatAgo(nowMs - uplink.lastAckMs)}`}
          </span>
        </p>
      </div>
      {(sentence !== undefined || isHeldUp(uplink)) && (
        <p class={`notice ${level}`} role="status">
          {sentence && <strong>{sentence} </strong>}
          {isHeldUp(uplink) && keptSentence(uplink)}
        </p>
      )}
      {showError && lastError && (
        <p class={`notice ${isUp ? "past" : level}`}>
          <span class="num">{formatClock(lastError.atMs)}</span> {lastError.message} <b>{lastError.code}</b>
          <em> {lastError.hint}</em>
        </p>
      )}
      {uplink.deadLetters > 0 && (
        <p class="notice warn">
          <strong>{deadLettersText(uplink.deadLetters)}</strong> Nothing else waits for{" "}
          {uplink.deadLetters === 1 ? "it" : "them"}: <code>npx tailstock uplink dead-letters list</code>.
        </p>
      )}
      <div class="facts num">
        <Fact title="Waiting" note={`${formatNumber(uplink.waiting.events)} events`}>
          {formatNumber(uplink.waiting.readings)} <small>readings</small>
        </Fact>
        <Fact
          title="Time to drain"
          note={`at ${formatBytes(lanes.telemetry.bytesPerSecond)}/s${uplink.bytesPerSecondMax === null ? "" : `, limited to ${formatBytes(uplink.bytesPerSecondMax)}/s`}`}
        >
          {drainText(lanes.telemetry, condition)}
        </Fact>
        <Fact
          title="Room without a line"
          note={`${formatBytes(room.usedBytes)} of ${formatBytes(room.limitBytes)} used`}
        >
          {room.timeToFullMs === null ? "–" : formatRoom(room.timeToFullMs)}
        </Fact>
        <Fact
          title="Messages today"
          note={`${formatNumber(today.units)}${today.unitsMax === null ? "" : ` of ${formatNumber(today.unitsMax)}`} units of 4\u00a0KB, ${formatBytes(today.bytes)}`}
        >
          {formatNumber(today.messages)}
        </Fact>
        <Fact title="Under way" note={`gathered for ${formatNumber(uplink.gatherMs / 1_000)} s into one message`}>
          {formatNumber(uplink.inFlight)} <small>{uplink.inFlight === 1 ? "message" : "messages"}</small>
        </Fact>
        <Fact title="Set aside" note="dead letters: the hub cannot take them">
          <span class={uplink.deadLetters > 0 ? "uncertain" : ""}>{formatNumber(uplink.deadLetters)}</span>{" "}
          <small>{uplink.deadLetters === 1 ? "message" : "messages"}</small>
        </Fact>
      </div>
      <table class="lanes num">
        <thead>
          <tr>
            <th scope="col">Lane</th>
            <th scope="col">Waiting events</th>
            <th scope="col">Oldest</th>
            <th scope="col">Events/s</th>
            <th scope="col">Rate</th>
            <th scope="col">Time to drain</th>
          </tr>
        </thead>
        <tbody>
          <LaneRow name="Priority" what="alarms, states, gaps" lane={lanes.priority} condition={condition} />
          <LaneRow name="Telemetry" what="everything, in order" lane={lanes.telemetry} condition={condition} />
        </tbody>
      </table>
    </section>
  );
}

function Fact({ title, note, children }: { title: string; note: string; children: ComponentChildren }) {
  return (
    <div class="fact">
      <h2>{title}</h2>
      <p class="fact-value">{children}</p>
      <p class="muted">{note}</p>
    </div>
  );
}

type LaneView = UplinkView["lanes"]["priority"];

interface LaneRowProps {
  readonly name: string;
  readonly what: string;
  readonly lane: LaneView;
  readonly condition: UplinkView["condition"];
}

function LaneRow({ name, what, lane, condition }: LaneRowProps) {
  return (
    <tr data-lane={name.toLowerCase()}>
      <th scope="row">
        {name} <small>{what}</small>
      </th>
      <td>{formatNumber(lane.backlogEvents)}</td>
      <td>{lane.backlogEvents === 0 ? "–" : formatRoom(lane.lagMs)}</td>
      <td>{formatNumber(lane.eventsPerSecond)}</td>
      <td>{formatBytes(lane.bytesPerSecond)}/s</td>
      <td>{drainText(lane, condition)}</td>
    </tr>
  );
}

/** How long it takes until nothing waits; that it does not shrink is said where the line is up. */
function drainText({ drainMs, backlogEvents }: LaneView, condition: UplinkView["condition"]): string {
  if (drainMs !== null) return formatRoom(drainMs);
  return condition === "falling-behind" && backlogEvents > 0 ? "not draining" : "–";
}
