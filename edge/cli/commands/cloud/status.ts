import { Command } from "commander";
import type { ProjectionStatus } from "../../../../cloud-sync/projections/status.ts";
import type { Cli } from "../../cli.ts";
import { type CloudOptions, type OpenCloud, withCloud, withCloudOptions } from "../../cloud/with-cloud.ts";
import { factLines, tableLines } from "../../table.ts";
import { durationText, harmless } from "../../text.ts";
import { numberText, plural } from "../log/words.ts";

interface FactoryStatus {
  readonly factoryId: string;
  readonly machines: number;
  readonly events: number;
  readonly readings: number;
  readonly thinned: number;
  readonly lost: number;
  /** Events below the newest that have not come and that nothing explains. */
  readonly missing: number;
  /** Time of the newest event, UTC epoch ms. */
  readonly newestMs: number;
}

interface CloudStatus {
  readonly store: string;
  readonly database: string;
  readonly factories: readonly FactoryStatus[];
  readonly projections: readonly ProjectionStatus[];
  readonly quarantined: number;
}

const FACTORIES_SQL = `SELECT factory_id AS "factoryId", count(DISTINCT machine_id) AS machines, sum(events)::float8 AS events,
    sum(samples)::float8 AS readings, sum(thinned)::float8 AS thinned, sum(lost)::float8 AS lost, sum(missing)::float8 AS missing,
    extract(epoch FROM max(last_at))::float8 * 1000 AS "newestMs"
  FROM model.ledger_stream GROUP BY factory_id ORDER BY factory_id`;

export function cloudStatusCommand(cli: Cli): Command {
  return withCloudOptions(new Command("status"))
    .description("what the central office has, whether something is missing, how far each read model is")
    .addHelpText("after", "\nExit code 1 when something is missing, set aside, or behind.")
    .action((options: CloudOptions) =>
      withCloud(cli, options, async (cloud) => {
        const status = await read(cli, cloud);
        const isWrong =
          status.quarantined > 0 ||
          status.factories.some(({ missing }) => missing > 0) ||
          status.projections.some(({ state, unreadable }) => state !== "current" || unreadable > 0);
        if (isWrong) cli.problemFound();
        await cli.output.result(status, () => linesOf(cli, status));
      }),
    );
}

async function read(cli: Cli, { database, store }: OpenCloud): Promise<CloudStatus> {
  const { projectionStatus } = await import("../../../../cloud-sync/projections/status.ts");
  const [factories, projections, quarantine] = await Promise.all([
    database.query<FactoryStatus & Record<string, unknown>>(FACTORIES_SQL),
    projectionStatus(database, store, cli.signal, cli.clock.nowMs()),
    database.query<{ count: number }>("SELECT count(*) AS count FROM app.quarantine"),
  ]);
  const { host, pathname } = new URL(database.url);
  return {
    store: store.name,
    database: `${host}${pathname}`,
    factories: factories.rows,
    projections,
    quarantined: quarantine.rows[0]?.count ?? 0,
  };
}

function linesOf(cli: Cli, { store, database, factories, projections, quarantined }: CloudStatus): string[] {
  const nowMs = cli.clock.nowMs();
  return [
    ...factLines([
      ["store", store],
      ["database", database],
      [
        "quarantine",
        quarantined === 0
          ? "empty"
          : cli.output.paint("bad", `${plural(quarantined, "message")} (tailstock cloud quarantine list)`),
      ],
    ]),
    "",
    ...(factories.length === 0
      ? ["No factory has sent anything yet."]
      : tableLines(
          [
            { title: "factory" },
            { title: "machines", align: "right" },
            { title: "readings", align: "right" },
            { title: "newest", align: "right" },
            { title: "nothing missing?" },
          ],
          factories.map((factory) => [
            harmless(factory.factoryId),
            numberText(factory.machines),
            numberText(factory.readings),
            `${durationText(nowMs - factory.newestMs)} ago`,
            completeText(cli, factory),
          ]),
        )),
    "",
    ...tableLines(
      [
        { title: "read model" },
        { title: "state" },
        { title: "documents", align: "right" },
        { title: "behind", align: "right" },
        { title: "unreadable", align: "right" },
      ],
      projections.map(({ name, state, documents, lagMs, unreadable }) => [
        name,
        state === "current" ? state : cli.output.paint("uncertain", state),
        numberText(documents),
        lagMs === 0 ? "–" : durationText(lagMs),
        unreadable === 0 ? "–" : cli.output.paint("bad", numberText(unreadable)),
      ]),
    ),
  ];
}

function completeText(cli: Cli, { missing, lost, thinned }: FactoryStatus): string {
  const explained = [
    ...(thinned > 0 ? [`${numberText(thinned)} thinned at the box`] : []),
    ...(lost > 0 ? [`${numberText(lost)} lost at the box`] : []),
  ];
  const text = missing > 0 ? cli.output.paint("bad", `${plural(missing, "event")} missing`) : "nothing missing";
  return [text, ...explained].join(", ");
}
