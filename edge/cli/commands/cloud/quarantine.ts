import { resolve } from "node:path";
import { Command } from "commander";
import type { QuarantineTotal } from "../../../../cloud-sync/ingest/quarantine.ts";
import type { QuarantinedContent, QuarantinedMessage } from "../../../../cloud-sync/ingest/quarantine-desk.ts";
import { EdgeError } from "../../../kernel/errors.ts";
import type { Cli } from "../../cli.ts";
import { type CloudOptions, withCloud, withCloudOptions } from "../../cloud/with-cloud.ts";
import { parseCount } from "../../duration.ts";
import { tableLines } from "../../table.ts";
import { bytesText, harmless, timeText } from "../../text.ts";
import { writeNew } from "../../write-new.ts";
import { plural } from "../log/words.ts";

const EXAMPLES = `
Examples:
  tailstock cloud quarantine list                what could not be stored, and why
  tailstock cloud quarantine show 12             the message: its properties and the beginning of its body
  tailstock cloud quarantine replay --all        puts them in again, once the cause is gone
  tailstock cloud quarantine export 12 bad.bin   keeps one in a file`;

const LISTED_MAX = 100;
const BODY_BYTES_SHOWN = 256;

interface WhichOptions extends CloudOptions {
  readonly all?: boolean;
}

/** Messages that ingest could not store. */
export function cloudQuarantineCommand(cli: Cli): Command {
  const command = new Command("quarantine")
    .description("messages that can't be stored, set aside so that nothing waits behind them")
    .addHelpText("after", EXAMPLES);
  withCloudOptions(command.command("list"))
    .description("the newest first; exit code 1 when there is something")
    .option("--before <id>", "goes on behind this one")
    .action((options: CloudOptions & { readonly before?: string }) => list(cli, options));
  withCloudOptions(command.command("show"))
    .description("one message: where it came from, why it is here, what it holds")
    .argument("<id>", "as quarantine list shows it")
    .action((id: string, options: CloudOptions) => show(cli, parseId(id), options));
  withCloudOptions(command.command("export"))
    .description("writes a message into a file, and its properties beside it")
    .argument("<id>", "as quarantine list shows it")
    .argument("<file>", "must not be there yet")
    .action((id: string, file: string, options: CloudOptions) => exportOne(cli, parseId(id), file, options));
  withCloudOptions(command.command("replay"))
    .description("puts messages in again, by the way that all take; those that are stored leave the quarantine")
    .argument("[id...]", "as quarantine list shows them")
    .option("--all", "every one")
    .action((ids: readonly string[], options: WhichOptions) => replay(cli, whichOf(ids, options), options));
  withCloudOptions(command.command("remove"))
    .description("throws messages away")
    .argument("[id...]", "as quarantine list shows them")
    .option("--all", "every one")
    .action((ids: readonly string[], options: WhichOptions) => remove(cli, whichOf(ids, options), options));
  return command;
}

async function list(cli: Cli, { before, ...options }: CloudOptions & { readonly before?: string }): Promise<void> {
  const { listQuarantine } = await desk();
  const found = await withCloud(cli, options, ({ database }) =>
    listQuarantine(database, { limit: LISTED_MAX, ...(before === undefined ? {} : { beforeId: parseId(before) }) }),
  );
  if (found.messages.length > 0) cli.problemFound();
  await cli.output.result(found, () => listLines(found));
}

function listLines({
  messages,
  total,
}: {
  readonly messages: readonly QuarantinedMessage[];
  readonly total: QuarantineTotal;
}): string[] {
  const dropped =
    total.droppedMessages === 0
      ? []
      : [
          `${plural(total.droppedMessages, "message")} (${bytesText(total.droppedBytes)}) had to make room for newer ones.`,
        ];
  if (messages.length === 0) return ["nothing is set aside", ...dropped];
  const last = messages.at(-1)?.id ?? 0;
  return [
    ...tableLines(
      [
        { title: "ID", align: "right" },
        { title: "CAME" },
        { title: "DEVICE" },
        { title: "BYTES", align: "right" },
        { title: "TIMES", align: "right" },
        { title: "WHY" },
      ],
      messages.map(({ id, firstSeenMs, deviceId, bytes, count, code, reason }) => [
        String(id),
        timeText(firstSeenMs),
        harmless(deviceId),
        bytesText(bytes),
        String(count),
        harmless(`${reason} (${code})`),
      ]),
    ),
    "",
    `${plural(total.messages, "message")}, ${bytesText(total.bytes)}.`,
    ...(total.messages > messages.length ? [`Older ones: list --before ${last}.`] : []),
    ...dropped,
    "To put one in again: tailstock cloud quarantine replay ID. To keep it in a file: export ID FILE.",
  ];
}

async function show(cli: Cli, id: number, options: CloudOptions): Promise<void> {
  const { showQuarantine } = await desk();
  const content = await withCloud(cli, options, ({ database }) => showQuarantine(database, id));
  const { body, ...envelope } = content;
  await cli.output.result(
    { ...envelope, body: body === undefined ? null : Buffer.from(body).toString("base64") },
    () => [
      `message ${id}, ${bytesText(content.bytes)} of type ${harmless(content.contentType) || "(none)"}`,
      `from ${harmless(content.deviceId) || "(no device)"}, partition ${content.partition}, sequence number ${content.sequenceNumber}`,
      `at the hub ${timeText(content.enqueuedMs)}, here ${timeText(content.firstSeenMs)}, ${plural(content.count, "time")}`,
      `${harmless(content.reason)} (${content.code})${content.refusals > 1 ? `, and ${plural(content.refusals - 1, "part")} more` : ""}`,
      `properties ${harmless(JSON.stringify(content.properties))}`,
      `system properties ${harmless(JSON.stringify(content.systemProperties))}`,
      "",
      ...bodyLines(content),
    ],
  );
}

function bodyLines({ body }: QuarantinedContent): string[] {
  if (body === undefined) return ["its body was too large to be kept"];
  const text = Buffer.from(body.subarray(0, BODY_BYTES_SHOWN)).toString("utf8");
  return [`${harmless(text)}${body.length > BODY_BYTES_SHOWN ? " …" : ""}`];
}

async function exportOne(cli: Cli, id: number, file: string, options: CloudOptions): Promise<void> {
  const { showQuarantine } = await desk();
  const { body, ...envelope } = await withCloud(cli, options, ({ database }) => showQuarantine(database, id));
  if (body === undefined) throw new EdgeError("USAGE", `the body of message ${id} was too large to be kept`);
  const target = resolve(cli.cwd, file);
  writeNew(target, body);
  writeNew(`${target}.json`, `${JSON.stringify(envelope, null, 2)}\n`);
  await cli.output.result({ file: target, envelopeFile: `${target}.json`, bytes: body.length }, () => [
    `${target}: the message, ${bytesText(body.length)}`,
    `${target}.json: its properties, and why it is in the quarantine`,
  ]);
}

async function replay(cli: Cli, which: readonly number[] | "all", options: CloudOptions): Promise<void> {
  const { replayQuarantine } = await desk();
  const done = await withCloud(cli, options, ({ database, store }) =>
    replayQuarantine({ database, store, clock: cli.clock }, which, cli.signal),
  );
  if (done.refused > 0) cli.problemFound();
  await cli.output.result(done, () => [
    `${plural(done.stored, "message")} stored, with ${plural(done.events, "new event")}`,
    ...(done.refused > 0
      ? [`${plural(done.refused, "message")} can't be stored: tailstock cloud quarantine list`]
      : []),
  ]);
}

async function remove(cli: Cli, which: readonly number[] | "all", options: CloudOptions): Promise<void> {
  const { removeQuarantine } = await desk();
  const removed = await withCloud(cli, options, ({ database }) => removeQuarantine(database, which));
  await cli.output.result({ removed }, () => [`${plural(removed, "message")} thrown away`]);
}

/** @throws EdgeError USAGE */
function whichOf(texts: readonly string[], { all }: WhichOptions): readonly number[] | "all" {
  if (texts.length > 0 === (all === true))
    throw new EdgeError("USAGE", "which of them?", { hint: "Name ids as quarantine list shows them, or --all." });
  return all === true ? "all" : [...new Set(texts.map(parseId))];
}

function parseId(text: string): number {
  return parseCount(text, { min: 1, max: Number.MAX_SAFE_INTEGER, what: "the id of a message in the quarantine" });
}

function desk() {
  return import("../../../../cloud-sync/ingest/quarantine-desk.ts");
}
