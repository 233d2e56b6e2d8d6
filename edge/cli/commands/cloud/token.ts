import { Command } from "commander";
import { EdgeError } from "../../../kernel/errors.ts";
import type { Cli } from "../../cli.ts";
import { parseRole, withAccess } from "../../cloud/with-access.ts";
import { type CloudOptions, withCloudOptions } from "../../cloud/with-cloud.ts";
import { parseCount } from "../../duration.ts";
import { tableLines } from "../../table.ts";
import { harmless } from "../../text.ts";

const EXAMPLES = `
Examples:
  tailstock cloud token add report --role viewer --days 365
  tailstock cloud token add redmond-mirror --role viewer --factory redmond

A program sends it with each request: Authorization: Bearer tlst_…`;

const DAY_MS = 86_400_000;

interface AddOptions extends CloudOptions {
  readonly role: string;
  readonly factory?: string;
  readonly days?: string;
}

/** Tokens by which programs use the office's services. */
export function cloudTokenCommand(cli: Cli): Command {
  const command = new Command("token")
    .description("tokens by which programs use the central office's services")
    .addHelpText("after", EXAMPLES);
  withCloudOptions(command.command("list"))
    .description("every token, what it may do and when it was used last")
    .action((options: CloudOptions) => list(cli, options));
  withCloudOptions(command.command("add"))
    .description("makes a token and prints it; it can't be had again")
    .argument("<name>", "stands in events as author")
    .requiredOption("--role <role>", "viewer, operator, technician or administrator")
    .option("--factory <id>", "for this factory alone")
    .option("--days <days>", "how long it is good for; until it is removed when left out")
    .action((name: string, options: AddOptions) => add(cli, name, options));
  withCloudOptions(command.command("remove"))
    .description("revokes a token, at once")
    .argument("<name>")
    .action((name: string, options: CloudOptions) => remove(cli, name, options));
  return command;
}

async function list(cli: Cli, options: CloudOptions): Promise<void> {
  const tokens = await withAccess(cli, options, (access) => access.tokens.list());
  await cli.output.result(tokens, () => {
    if (tokens.length === 0) return ["no token; make one: tailstock cloud token add NAME --role viewer"];
    return tableLines(
      [{ title: "NAME" }, { title: "ROLE" }, { title: "FACTORY" }, { title: "UNTIL" }, { title: "LAST USED" }],
      tokens.map(({ name, role, factoryId, expiresAt, lastUsedAt }) => [
        harmless(name),
        role,
        harmless(factoryId ?? "all"),
        expiresAt?.slice(0, 10) ?? "removed",
        lastUsedAt === null ? "never" : `${lastUsedAt.slice(0, 16).replace("T", " ")} UTC`,
      ]),
    );
  });
}

async function add(cli: Cli, name: string, options: AddOptions): Promise<void> {
  const role = await parseRole(options.role);
  const { factory: factoryId, days } = options;
  const goodFor = days === undefined ? undefined : parseCount(days, { min: 1, max: 3_650, what: "a number of days" });
  const expiresMs = goodFor === undefined ? undefined : cli.clock.nowMs() + goodFor * DAY_MS;
  const token = await withAccess(cli, options, (access, by) =>
    access.tokens.add({ name, role, factoryId, expiresMs }, by),
  );
  await cli.output.result({ name, role, factoryId: factoryId ?? null, token }, () => [token]);
}

async function remove(cli: Cli, name: string, options: CloudOptions): Promise<void> {
  if (!(await withAccess(cli, options, (access) => access.tokens.remove(name))))
    throw new EdgeError("USAGE", `there is no token "${name}"`, { hint: "tailstock cloud token list" });
  await cli.output.result({ done: true }, () => ["done"]);
}
