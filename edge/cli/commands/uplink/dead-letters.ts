import { resolve } from "node:path";
import { Command } from "commander";
import type { DeadLetter } from "../../../../cloud-sync/uplink/ports.ts";
import { uplinkStatePathOf } from "../../../../cloud-sync/uplink/state/schema.ts";
import {
  openUplinkStateReader,
  type UplinkStateReader,
  wantDeadLettersAgain,
} from "../../../../cloud-sync/uplink/state/state-reader.ts";
import { EdgeError } from "../../../kernel/errors.ts";
import type { Cli } from "../../cli.ts";
import { parseCount } from "../../duration.ts";
import { findLog, type LogOptions, withLogOptions } from "../../find-log.ts";
import { tableLines } from "../../table.ts";
import { bytesText, harmless, timeText } from "../../text.ts";
import { writeNew } from "../../write-new.ts";
import { plural } from "../log/words.ts";

const CONTENTS_SHOWN = 2;

export function deadLettersCommand(cli: Cli): Command {
  const command = new Command("dead-letters").description(
    "messages that the hub cannot take, set aside so that others go",
  );
  for (const make of [listCommand, retryCommand, exportCommand]) command.addCommand(make(cli));
  return command;
}

function listCommand(cli: Cli): Command {
  return withLogOptions(new Command("list"))
    .description("what was set aside, when and why; exit code 1 when there is something")
    .action(async (options: LogOptions) => {
      const path = await statePathOf(cli, options);
      using reader = openUplinkStateReader(path);
      const letters = reader.deadLetters();
      if (letters.length > 0) cli.problemFound();
      await cli.output.result({ path, deadLetters: letters }, () => listLines(letters));
    });
}

function listLines(letters: readonly DeadLetter[]): string[] {
  if (letters.length === 0) return ["nothing is set aside"];
  return [
    ...tableLines(
      [
        { title: "ID", align: "right" },
        { title: "SINCE" },
        { title: "LANE" },
        { title: "BYTES", align: "right" },
        { title: "TRIED", align: "right" },
        { title: "HOLDS" },
        { title: "WHY" },
      ],
      letters.map(({ id, atMs, lane, bytes, attempts, contents, code, reason }) => [
        String(id),
        timeText(atMs),
        lane,
        bytesText(bytes),
        String(attempts),
        harmless(contentsText(contents)),
        harmless(`${reason} (${code})`),
      ]),
    ),
    "",
    "To send one again: tailstock uplink dead-letters retry ID. To keep it in a file: export ID FILE.",
  ];
}

function contentsText(contents: readonly string[]): string {
  const more = contents.length - CONTENTS_SHOWN;
  return `${contents.slice(0, CONTENTS_SHOWN).join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}

function retryCommand(cli: Cli): Command {
  return withLogOptions(new Command("retry"))
    .description("asks the uplink to send them again, once the cause is gone")
    .argument("[id...]", "as dead-letters list shows them")
    .option("--all", "every one")
    .action(async (texts: readonly string[], options: LogOptions & { readonly all?: boolean }) => {
      if (texts.length > 0 === (options.all === true)) {
        throw new EdgeError("USAGE", "which of them?", { hint: "Name ids as dead-letters list shows them, or --all." });
      }
      const ids = [...new Set(texts.map(parseId))];
      const path = await statePathOf(cli, options);
      using reader = openUplinkStateReader(path);
      for (const id of ids) messageOf(reader, id);
      const count = wantDeadLettersAgain(path, options.all === true ? "all" : ids);
      await cli.output.result({ path, wanted: count }, () => [
        count === 0
          ? "there is nothing to send again"
          : `${plural(count, "message")} will be tried again as soon as the line is up; see: tailstock uplink dead-letters list`,
      ]);
    });
}

function exportCommand(cli: Cli): Command {
  return withLogOptions(new Command("export"))
    .description("writes the message, as it would be sent, into a file, and its properties beside it")
    .argument("<id>", "as dead-letters list shows it")
    .argument("<file>", "must not be there yet")
    .action(async (text: string, file: string, options: LogOptions) => {
      const id = parseId(text);
      const path = await statePathOf(cli, options);
      using reader = openUplinkStateReader(path);
      const { body, ...envelope } = messageOf(reader, id);
      const target = resolve(cli.cwd, file);
      writeNew(target, body);
      writeNew(`${target}.json`, `${JSON.stringify(envelope, null, 2)}\n`);
      await cli.output.result({ file: target, envelopeFile: `${target}.json`, bytes: body.length }, () => [
        `${target}: the message, ${bytesText(body.length)}`,
        `${target}.json: its id and properties`,
      ]);
    });
}

/** @throws EdgeError USAGE when there is none of that id, or only its description was kept */
function messageOf(reader: UplinkStateReader, id: number) {
  const message = reader.deadLetterMessage(id);
  if (message) return message;
  const isKnown = reader.deadLetters().some((letter) => letter.id === id);
  throw new EdgeError(
    "USAGE",
    isKnown ? `of message ${id} only the description was kept` : `no message ${id} is set aside`,
    {
      hint: isKnown
        ? "What it held stands in the list; the readings themselves are in the log as long as it keeps them."
        : "tailstock uplink dead-letters list shows those that are.",
    },
  );
}

function parseId(text: string): number {
  return parseCount(text, { min: 1, max: Number.MAX_SAFE_INTEGER, what: "the id of a message that was set aside" });
}

async function statePathOf(cli: Cli, options: LogOptions): Promise<string> {
  return uplinkStatePathOf(await findLog(cli, options));
}
