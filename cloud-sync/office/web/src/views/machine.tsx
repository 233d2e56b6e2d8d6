import { useState } from "preact/hooks";
import type { AlarmView, AnomalyView } from "../../../../services/query/entities/schema.ts";
import type { MachineDetail } from "../../../../services/query/machines/schema.ts";
import { ApiError } from "../data/api.ts";
import { encodeChosen, SERIES_MAX } from "../data/chosen.ts";
import type { Session } from "../data/session.ts";
import { useData } from "../data/use-data.ts";
import { usePages } from "../data/use-pages.ts";
import { useTrend } from "../data/use-trend.ts";
import { AlarmTable } from "../parts/alarm-table.tsx";
import { AnomalyTable } from "../parts/anomaly-table.tsx";
import { MachineRecords } from "../parts/machine-records.tsx";
import { More } from "../parts/more.tsx";
import { Remaining, Requirement, Sure } from "../parts/need.tsx";
import { PredictionList } from "../parts/prediction-list.tsx";
import { Problem } from "../parts/problem.tsx";
import { SignalList } from "../parts/signal-list.tsx";
import { type SpanHours, SpanPicker } from "../parts/span-picker.tsx";
import { TrendCharts } from "../parts/trend-charts.tsx";
import { hrefOf } from "../router.ts";
import { age, formatMoment, stateLevel, stateWord } from "../words.ts";

const VALUES_MS = 1_500;
const LISTS_MS = 5_000;

export function Machine({ session, machineId, nowMs }: { session: Session; machineId: string; nowMs: number }) {
  const { data: machine, error } = useData<MachineDetail>("/api/query/machine", { id: machineId }, VALUES_MS);
  const [picked, setPicked] = useState<readonly string[] | null>(null);
  const anomalies = usePages<AnomalyView>(
    "/api/query/anomalies",
    { machine: machineId, limit: 20 },
    ({ id }) => id,
    LISTS_MS,
  );
  const alarms = usePages<AlarmView>(
    "/api/query/alarms",
    { machine: machineId, only: "all", limit: 20 },
    ({ alarmId }) => alarmId,
    LISTS_MS,
  );
  if (machine === undefined) {
    if (error instanceof ApiError && error.status === 404)
      return (
        <section class="empty">
          <h1>No machine “{machineId}”</h1>
          <p>
            No factory has sent anything of it. <a href="#/machines">All machines</a>
          </p>
        </section>
      );
    return error === undefined ? <p class="empty">Loading {machineId} …</p> : <Problem error={error} />;
  }
  const chosen = picked ?? defaultChoice(machine);
  const toggle = (name: string): void =>
    setPicked(chosen.includes(name) ? chosen.filter((each) => each !== name) : [...chosen, name].slice(0, SERIES_MAX));
  const level = stateLevel(machine.state);
  return (
    <section class={`machine level-${level}`}>
      <a class="back" href={hrefOf("machines", { factory: machine.factoryId })}>
        ‹ Machines of {machine.factoryId}
      </a>
      <div class="view-head">
        <div class="machine-name">
          <h1 title={machine.name}>{machine.name}</h1>
          <p class="muted">{[machineId, machine.typeName, machine.deviceId].filter(Boolean).join(" · ")}</p>
        </div>
        <span class="state">{stateWord(machine.state)}</span>
        <p class="sum num">
          <span title={formatMoment(machine.newestMs)}>newest event {age(nowMs, machine.newestMs)}</span>
          <span class="of-need">
            <Requirement need={machine.need} />
            {machine.need !== null && machine.need.requirement !== "none" && (
              <>
                {" "}
                <Remaining need={machine.need} /> <Sure probability={machine.need.probability} />
              </>
            )}
          </span>
        </p>
      </div>
      {machine.removed && <p class="notice">No longer in the factory's configuration; its history stays.</p>}
      {machine.state === "disconnected" && (
        <p class="notice alarm">
          <strong>The factory has no connection to this machine.</strong> {machine.linkDetail}
        </p>
      )}
      <div class="machine-columns">
        <div>
          <MachineTrend machine={machine} chosen={chosen} />
          <SignalList signals={machine.signals} chosen={chosen} onToggle={toggle} nowMs={nowMs} />
        </div>
        <div>
          <PredictionList machineId={machineId} nowMs={nowMs} />
          <MachineRecords
            session={session}
            machineId={machineId}
            factoryId={machine.factoryId}
            requirement={machine.need === null || machine.need.requirement === "none" ? null : machine.need.requirement}
          />
        </div>
      </div>
      <section class="sheet" aria-labelledby="alarms-title">
        <div class="table-head">
          <h2 id="alarms-title">Alarms</h2>
        </div>
        {alarms.rows.length > 0 && <AlarmTable rows={alarms.rows} nowMs={nowMs} withMachine={false} />}
        <More pages={alarms} empty="No alarm yet." />
      </section>
      <section class="sheet" aria-labelledby="anomalies-title">
        <div class="table-head">
          <h2 id="anomalies-title">Anomalies</h2>
        </div>
        {anomalies.rows.length > 0 && <AnomalyTable rows={anomalies.rows} nowMs={nowMs} withMachine={false} />}
        <More pages={anomalies} empty="No anomaly yet." />
      </section>
    </section>
  );
}

function MachineTrend({ machine, chosen }: { machine: MachineDetail; chosen: readonly string[] }) {
  const { machineId } = machine;
  const [hours, setHours] = useState<SpanHours>("8");
  const [endMs, setEndMs] = useState<number | null>(null);
  const keys = chosen.map((signal) => ({ machineId, signal }));
  const trend = useTrend(keys, Number(hours), endMs);
  return (
    <section class="sheet" aria-labelledby="trend-title">
      <div class="table-head">
        <h2 id="trend-title">Trend</h2>
        <SpanPicker hours={hours} endMs={endMs} onHours={setHours} onEnd={setEndMs} />
        <a class="button" href={hrefOf("trends", { series: encodeChosen(keys), hours })}>
          Compare
        </a>
      </div>
      {endMs !== null && <p class="muted num">until {formatMoment(endMs)}</p>}
      {trend.error !== undefined && <Problem error={trend.error} />}
      {keys.length === 0 ? (
        <p class="empty">Tick a signal in the table below to see its trend here.</p>
      ) : (
        trend.data !== undefined && <TrendCharts trend={trend.data} layout="shared" nameOf={({ title }) => title} />
      )}
    </section>
  );
}

/** The first signals that have a number: what most people came for. */
function defaultChoice({ signals }: MachineDetail): string[] {
  return signals
    .filter(({ value }) => typeof value === "number")
    .slice(0, 3)
    .map(({ name }) => name);
}
