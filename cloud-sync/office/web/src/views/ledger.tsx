import { formatNumber } from "../../../../../edge/dashboard/web/src/format.ts";
import type { LedgerStream, LedgerSums } from "../../../../services/query/ledger/schema.ts";
import { useData } from "../data/use-data.ts";
import { usePages } from "../data/use-pages.ts";
import { FactoryFilter, Segments } from "../parts/filters.tsx";
import { LedgerRanges } from "../parts/ledger-ranges.tsx";
import { More } from "../parts/more.tsx";
import { machineHref, type Route, replaceParams } from "../router.ts";
import { age, formatMoment } from "../words.ts";

const EVERY_MS = 5_000;
const SELECTIONS = [
  ["troubled", "Something is not here"],
  ["all", "All streams"],
] as const;

/** What became of every event that the factories gave a number. */
export function Ledger({ route, nowMs }: { route: Route; nowMs: number }) {
  const value = (name: string): string => route.params.get(name) ?? "";
  const factory = value("factory");
  const only = SELECTIONS.find(([each]) => each === value("only"))?.[0] ?? "troubled";
  const sums = useData<LedgerSums>("/api/query/ledger/sums", {}, EVERY_MS).data?.factories ?? [];
  const shown = sums.filter(({ factoryId }) => factory === "" || factoryId === factory);
  const pages = usePages<LedgerStream>(
    "/api/query/ledger",
    { factory, only, limit: 50 },
    (row) => `${row.machineId} ${row.epoch}`,
    EVERY_MS,
  );
  const lacking = shown.reduce((sum, { missing, lost }) => sum + missing + lost, 0);
  return (
    <section>
      <div class="view-head">
        <h1>Ledger</h1>
        <p class="sum num">
          {shown.length > 0 &&
            (lacking === 0 ? (
              <span>
                <b>Nothing is missing.</b>
              </span>
            ) : (
              <span class="attention">
                <b>{formatNumber(lacking)}</b> events are not here
              </span>
            ))}
        </p>
      </div>
      <div class="sheet">
        <table class="list sums">
          <thead>
            <tr>
              <th scope="col">Factory</th>
              <th scope="col" class="number">
                Streams
              </th>
              <th scope="col" class="number">
                Readings here
              </th>
              <th scope="col" class="number">
                Events here
              </th>
              <th scope="col" class="number">
                Missing
              </th>
              <th scope="col" class="number">
                Lost
              </th>
              <th scope="col" class="number">
                Thinned
              </th>
            </tr>
          </thead>
          <tbody>
            {shown.map((sum) => (
              <tr key={sum.factoryId}>
                <th scope="row">{sum.factoryId}</th>
                <td class="num number">{formatNumber(sum.streams)}</td>
                <td class="num number">{formatNumber(sum.samples)}</td>
                <td class="num number">{formatNumber(sum.events)}</td>
                <td class={`num number ${sum.missing > 0 ? "uncertain" : "muted"}`}>{formatNumber(sum.missing)}</td>
                <td class={`num number ${sum.lost > 0 ? "bad" : "muted"}`}>{formatNumber(sum.lost)}</td>
                <td class="num number muted">{formatNumber(sum.thinned)}</td>
              </tr>
            ))}
          </tbody>
        </table>
        {shown.length === 0 && <p class="empty">No factory has sent anything.</p>}
      </div>
      <p class="muted legend">
        Missing: not here yet, it may still come. Lost: gone for ever, the box says why. Thinned: of these readings the
        box kept aggregates of one minute.
      </p>
      <div class="filters">
        <FactoryFilter value={factory} onChange={(each) => replaceParams(route, { factory: each })} />
        <Segments
          label="Streams"
          value={only}
          choices={SELECTIONS}
          onChange={(each) => replaceParams(route, { only: each })}
        />
      </div>
      <div class="sheet">
        <table class="list streams">
          <thead>
            <tr>
              <th scope="col" class="w-machine">
                Machine
              </th>
              <th scope="col" class="w-seq number">
                Numbers
              </th>
              <th scope="col">Not here</th>
              <th scope="col" class="w-age number">
                Newest
              </th>
            </tr>
          </thead>
          <tbody>
            {pages.rows.map((row) => (
              <tr key={`${row.machineId} ${row.epoch}`}>
                <th scope="row">
                  <a href={machineHref(row.machineId)}>{row.machineId}</a>
                  <small>log {row.epoch}</small>
                </th>
                <td class="num number">
                  {formatNumber(row.firstSeq)} – {formatNumber(row.lastSeq)}
                  {!row.numbered && <small class="below">numbers of the hub, with holes</small>}
                </td>
                <td>
                  <LedgerRanges ranges={row.ranges} more={row.moreRanges} />
                </td>
                <td class="num number muted" title={formatMoment(row.lastMs)}>
                  {age(nowMs, row.lastMs)}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
        <More pages={pages} empty={only === "troubled" ? "Every event of every stream is here." : "No stream yet."} />
      </div>
    </section>
  );
}
