import { formatAge, formatNumber } from "../../../../../edge/dashboard/web/src/format.ts";
import type { FactoryView, LineView } from "../../../../services/query/overview/schema.ts";
import { hrefOf } from "../router.ts";
import { age, counted, DASH, stateWord } from "../words.ts";
import { isStale, lineLevel, troubleOf, unacknowledgedOf, worstLine } from "./factory-trouble.ts";
import { StateBar } from "./state-bar.tsx";

const URGENT = ["critical", "high"];
const STATES_SHOWN = ["fault", "disconnected", "offline", "running", "idle", "setup", "unknown"];

/** A factory on the overview: grey while all is well. */
export function FactoryTile({ factory, nowMs }: { factory: FactoryView; nowMs: number }) {
  const { factoryId, name, place, machines, anomalies, newestMs, lines } = factory;
  const trouble = troubleOf(factory, nowMs);
  const stale = isStale(factory, nowMs);
  const line = worstLine(lines);
  return (
    <li class={`factory level-${trouble.level}${stale ? " stale" : ""}`} data-factory={factoryId}>
      <div class="factory-head">
        <div class="factory-name">
          <h2>
            <a href={hrefOf("machines", { factory: factoryId })} title={name}>
              {name}
            </a>
          </h2>
          {place !== null && place !== name && <p class="muted">{place}</p>}
        </div>
        <span class="state">{trouble.word}</span>
      </div>
      <StateBar byState={machines.byState} total={machines.total} />
      <p class="states num">
        {machines.total === 0 && <span class="muted">no machine has sent anything</span>}
        {STATES_SHOWN.filter((state) => (machines.byState[state] ?? 0) > 0).map((state) => (
          <a
            key={state}
            class={`above ${state === "fault" || state === "disconnected" ? "bad" : state === "offline" ? "uncertain" : ""}`}
            href={hrefOf("machines", { factory: factoryId, state })}
          >
            <b>{machines.byState[state]}</b> {stateWord(state).toLowerCase()}
          </a>
        ))}
      </p>
      <dl class="factory-facts num">
        <Fact title="Alarms" href={hrefOf("alarms", { factory: factoryId })}>
          <Alarms factory={factory} />
        </Fact>
        <Fact title="Anomalies" href={hrefOf("anomalies", { factory: factoryId })}>
          <b>{formatNumber(anomalies.hour)}</b> in 1 h, {formatNumber(anomalies.day)} in 24 h
        </Fact>
        <Fact title="Newest event">
          {newestMs === null ? (
            DASH
          ) : (
            <span class={stale ? "uncertain" : ""}>
              <b>{age(nowMs, newestMs)}</b>
              {age(nowMs, newestMs) === "now" ? "" : " ago"}
            </span>
          )}
          {machines.silent > 0 && <span class="muted">, {counted(machines.silent, "silent machine")}</span>}
        </Fact>
        <Fact title={lines.length > 1 ? `Lines (${lines.length})` : "Line"}>
          {line === undefined ? <span class="muted">no box is known</span> : <Line line={line} nowMs={nowMs} />}
        </Fact>
        <Fact title="Ledger" href={hrefOf("ledger", { factory: factoryId })}>
          <LedgerWord factory={factory} />
        </Fact>
      </dl>
    </li>
  );
}

function Fact({ title, href, children }: { title: string; href?: string; children: preact.ComponentChildren }) {
  return (
    <div>
      <dt>
        {href === undefined ? (
          title
        ) : (
          <a class="above" href={href}>
            {title}
          </a>
        )}
      </dt>
      <dd>{children}</dd>
    </div>
  );
}

/** The urgent ones by name, the others as a number. */
function Alarms({ factory }: { factory: FactoryView }) {
  const { alarms } = factory;
  const unacknowledged = unacknowledgedOf(factory);
  const active = alarms.reduce((sum, alarm) => sum + alarm.active, 0);
  if (unacknowledged === 0 && active === 0) return <span class="muted">none</span>;
  const urgent = alarms.filter(({ priority, unacknowledged: count }) => count > 0 && URGENT.includes(priority));
  const others = unacknowledged - urgent.reduce((sum, alarm) => sum + alarm.unacknowledged, 0);
  const whole = alarms.map(
    (alarm) => `${alarm.priority}: ${alarm.unacknowledged} unacknowledged, ${alarm.active} active`,
  );
  return (
    <span title={whole.join(" · ")}>
      <span class="chips">
        {urgent.map((alarm) => (
          <span key={alarm.priority} class={`chip priority-${alarm.priority}`}>
            <b>{alarm.unacknowledged}</b> {alarm.priority}
          </span>
        ))}
        {others > 0 && (
          <span class="chip">
            <b>{others}</b> {urgent.length > 0 ? "other" : "new"}
          </span>
        )}
      </span>{" "}
      <span class="muted whole">{active} active</span>
    </span>
  );
}

/** What the hub and the box say of the line, in one breath. */
function Line({ line, nowMs }: { line: LineView; nowMs: number }) {
  const level = lineLevel(line);
  const waiting = line.backlogEvents ?? 0;
  const word = !line.enabled ? "refused by the hub" : line.connected ? (line.condition ?? "connected") : "cut";
  const error = line.lastError;
  const detail = [
    waiting > 100 ? `${formatNumber(waiting)} events wait` : "",
    waiting > 100 && (line.lagSeconds ?? 0) > 60 ? `for ${formatAge((line.lagSeconds ?? 0) * 1_000)}` : "",
    line.connected && line.drainSeconds !== null && line.drainSeconds > 60
      ? `done in ${formatAge(line.drainSeconds * 1_000)}`
      : "",
  ].filter((part) => part !== "");
  const whole = [line.deviceId, word, ...detail, error === null || level === "calm" ? "" : error.message];
  return (
    <span title={whole.filter((part) => part !== "").join(" · ")} class="line-word">
      <b class={level === "alarm" ? "bad" : level === "warn" ? "uncertain" : "calm"}>{word.replace("-", " ")}</b>
      {detail.length > 0 && <span>, {detail.join(", ")}</span>}
      {level === "alarm" && error !== null && <span class="muted">, {error.message}</span>}
      {level === "alarm" && error === null && line.activeMs !== null && (
        <span class="muted"> since {age(nowMs, line.activeMs)}</span>
      )}
    </span>
  );
}

function LedgerWord({ factory: { ledger } }: { factory: FactoryView }) {
  const parts = [
    ledger.missing > 0 ? `${formatNumber(ledger.missing)} events missing` : "",
    ledger.lost > 0 ? `${formatNumber(ledger.lost)} lost` : "",
  ].filter((part) => part !== "");
  if (ledger.streams === 0) return <span class="muted">{DASH}</span>;
  return (
    <>
      {parts.length === 0 ? <span>nothing missing</span> : <b class="uncertain">{parts.join(", ")}</b>}
      {ledger.thinned > 0 && <span class="muted">, {formatNumber(ledger.thinned)} thinned</span>}
    </>
  );
}
