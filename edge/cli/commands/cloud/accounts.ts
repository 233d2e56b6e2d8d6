import { Command } from "commander";
import type { AccessControl } from "../../../../cloud-sync/services/access/access-control.ts";
import type { AccountRow } from "../../../../cloud-sync/services/access/accounts.ts";
import { EdgeError } from "../../../kernel/errors.ts";
import type { Cli } from "../../cli.ts";
import { parseRole, withAccess } from "../../cloud/with-access.ts";
import { type CloudOptions, withCloudOptions } from "../../cloud/with-cloud.ts";
import { tableLines } from "../../table.ts";
import { harmless } from "../../text.ts";

const EXAMPLES = `
Examples:
  tailstock cloud accounts add "Anna Adams" --role operator      prints the password that is made
  tailstock cloud accounts password administrator                a new one, when nobody knows it any more`;

interface AddOptions extends CloudOptions {
  readonly role: string;
}

/** Local accounts of the office; whoever can open its database may change them. */
export function cloudAccountsCommand(cli: Cli): Command {
  const command = new Command("accounts")
    .description("who may log in at the central office's page")
    .addHelpText("after", EXAMPLES);
  withCloudOptions(command.command("list"))
    .description("every account and what it may do")
    .action((options: CloudOptions) => list(cli, options));
  withCloudOptions(command.command("add"))
    .description("makes an account and prints its password")
    .argument("<name>", "as it will stand in events")
    .requiredOption("--role <role>", "viewer, operator, technician or administrator")
    .action((name: string, options: AddOptions) => add(cli, name, options));
  withCloudOptions(command.command("role"))
    .description("gives another role, at once")
    .argument("<name>")
    .argument("<role>", "viewer, operator, technician or administrator")
    .action(async (name: string, role: string, options: CloudOptions) => {
      const given = await parseRole(role);
      await change(cli, name, options, (access, { id }, by) => access.accounts.change(id, { role: given }, by));
    });
  withCloudOptions(command.command("password"))
    .description("makes and prints a new password; the account's sessions end")
    .argument("<name>")
    .action((name: string, options: CloudOptions) => renew(cli, name, options));
  for (const [word, disabled] of [
    ["disable", true],
    ["enable", false],
  ] as const)
    withCloudOptions(command.command(word))
      .description(disabled ? "shuts an account out; its sessions end" : "lets an account in again")
      .argument("<name>")
      .action((name: string, options: CloudOptions) =>
        change(cli, name, options, async (access, { id }, by) => {
          await access.accounts.change(id, { disabled }, by);
          await access.sessions.closeAllOf(id);
        }),
      );
  withCloudOptions(command.command("remove"))
    .description("deletes an account; events keep its name")
    .argument("<name>")
    .action((name: string, options: CloudOptions) =>
      change(cli, name, options, async (access, { id }) => {
        await access.accounts.remove(id);
        await access.sessions.closeAllOf(id);
      }),
    );
  return command;
}

async function list(cli: Cli, options: CloudOptions): Promise<void> {
  const accounts = await withAccess(cli, options, (access) => access.accounts.list());
  await cli.output.result(accounts, () => {
    if (accounts.length === 0) return ["no account yet: the first start of the office makes an administrator"];
    return tableLines(
      [{ title: "NAME" }, { title: "ROLE" }, { title: "STATE" }, { title: "CHANGED" }],
      accounts.map(({ name, role, disabled, changedAt, changedBy }) => [
        harmless(name),
        role,
        disabled ? "shut out" : "",
        `${changedAt.slice(0, 10)} by ${harmless(changedBy)}`,
      ]),
    );
  });
}

async function add(cli: Cli, name: string, options: AddOptions): Promise<void> {
  const role = await parseRole(options.role);
  const { newPassword } = await import("../../../../cloud-sync/services/access/passwords.ts");
  const password = newPassword();
  const account = await withAccess(cli, options, (access, by) => access.accounts.add({ name, role, password }, by));
  await cli.output.result({ name: account.name, role, password }, () => [
    `name: ${account.name}  password: ${password}`,
  ]);
}

async function renew(cli: Cli, name: string, options: CloudOptions): Promise<void> {
  const { newPassword } = await import("../../../../cloud-sync/services/access/passwords.ts");
  const password = newPassword();
  await withAccess(cli, options, async (access, by) => {
    const account = await find(access, name);
    await access.accounts.setPassword(account.id, password, by);
    await access.sessions.closeAllOf(account.id);
  });
  await cli.output.result({ name, password }, () => [`name: ${harmless(name)}  password: ${password}`]);
}

async function change(
  cli: Cli,
  name: string,
  options: CloudOptions,
  work: (access: AccessControl, account: AccountRow, by: string) => Promise<unknown>,
): Promise<void> {
  await withAccess(cli, options, async (access, by) => work(access, await find(access, name), by));
  await cli.output.result({ done: true }, () => ["done"]);
}

async function find(access: AccessControl, name: string): Promise<AccountRow> {
  const account = await access.accounts.byName(name);
  if (account !== undefined) return account;
  throw new EdgeError("USAGE", `there is no account "${name}"`, { hint: "tailstock cloud accounts list" });
}
