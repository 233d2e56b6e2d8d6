import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { Command } from "commander";
import type { StoredCertificate } from "../../drivers/opcua/certificates.ts";
import { EdgeError } from "../../kernel/errors.ts";
import type { Cli } from "../cli.ts";
import { CONFIG_NAME, DEMO_FOLDER } from "../find-log.ts";
import { tableLines } from "../table.ts";
import { harmless } from "../text.ts";

interface PkiOptions {
  readonly pki?: string;
  readonly config?: string;
}

export function certsCommand(cli: Cli): Command {
  const command = new Command("certs").description("OPC UA certificates: whom this box trusts, and who it is itself");
  withPki(command.command("list"))
    .description("all certificates of the store; the rejected ones wait for a decision")
    .action((options: PkiOptions) => list(cli, options));
  withPki(command.command("trust"))
    .description("trusts a server's certificate that was rejected; the next attempt to connect uses it")
    .argument("<thumbprint>", "its first eight digits or more; compare them with what the machine shows")
    .action(async (thumbprint: string, options: PkiOptions) => {
      const { trustCertificate } = await import("../../drivers/opcua/certificates.ts");
      const certificate = trustCertificate(await pkiFolder(cli, options), thumbprint);
      await cli.output.result(certificate, () => [
        harmless(`trusted: ${certificate.subject} (${certificate.thumbprint})`),
      ]);
    });
  withPki(command.command("own"))
    .description("this box's own certificate, which servers must trust in turn")
    .action((options: PkiOptions) => own(cli, options));
  return command;
}

function withPki(command: Command): Command {
  return command
    .option(
      "--pki <folder>",
      "the certificate store (default: that of ./tailstock.yaml, else ./data/pki, else the demo's)",
    )
    .option("-c, --config <file>", "the configuration whose store is meant");
}

/**
 * The store that is meant: named, else the configuration's, else the first that exists.
 * @throws EdgeError USAGE when there is none
 */
export async function pkiFolder(cli: Cli, { pki, config }: PkiOptions): Promise<string> {
  const at = (...parts: string[]): string => resolve(cli.cwd, ...parts);
  if (pki !== undefined) return existing([at(pki)]);
  const { loadConfig } = await import("../../kernel/config/load.ts");
  if (config !== undefined || existsSync(at(CONFIG_NAME))) {
    return existing([(await loadConfig(at(config ?? CONFIG_NAME))).config.opcua.pkiPath]);
  }
  return existing([at("data", "pki"), at(DEMO_FOLDER, "pki")]);
}

function existing(folders: readonly string[]): string {
  const found = folders.find((folder) => existsSync(folder));
  if (found !== undefined) return found;
  throw new EdgeError("USAGE", `no certificate store found: looked for ${folders.join(", ")}`, {
    hint: "It is made at the first connection to an OPC UA server; name another one with --pki.",
  });
}

async function list(cli: Cli, options: PkiOptions): Promise<void> {
  const { listCertificates } = await import("../../drivers/opcua/certificates.ts");
  const folder = await pkiFolder(cli, options);
  const certificates = listCertificates(folder, cli.clock.nowMs());
  await cli.output.result({ pki: folder, certificates }, () => {
    if (certificates.length === 0) return [`${folder} holds no certificate yet`];
    const lines = tableLines(
      [{ title: "PLACE" }, { title: "THUMBPRINT" }, { title: "VALID UNTIL" }, { title: "SUBJECT" }],
      certificates.map((each) => [
        each.place,
        each.thumbprint,
        new Date(each.validToMs).toISOString().slice(0, 10),
        harmless(each.subject),
      ]),
    );
    const rejected = certificates.filter(({ place }) => place === "rejected");
    return [
      ...lines,
      ...certificates.flatMap(({ subject, warning }) =>
        warning === null ? [] : ["", cli.output.paint("uncertain", harmless(`${subject}: ${warning}`))],
      ),
      ...(rejected[0] === undefined
        ? []
        : [
            "",
            `Rejected ones are not talked to. To trust one: tailstock certs trust ${rejected[0].thumbprint.slice(0, 8)}`,
          ]),
    ];
  });
}

async function own(cli: Cli, options: PkiOptions): Promise<void> {
  const { listCertificates } = await import("../../drivers/opcua/certificates.ts");
  const folder = await pkiFolder(cli, options);
  const mine = listCertificates(folder, cli.clock.nowMs()).filter(({ place }) => place === "own");
  const first = mine[0];
  if (first === undefined) {
    throw new EdgeError("USAGE", `${join(folder, "own")} holds no certificate yet`, {
      hint: "It is made at the first secured connection: start the runtime, or browse a server.",
    });
  }
  await cli.output.result(mine, () => mine.flatMap(ownLines));
}

function ownLines(certificate: StoredCertificate): string[] {
  return [
    harmless(`subject          ${certificate.subject}`),
    harmless(`application URI  ${certificate.applicationUri ?? "none"}`),
    `thumbprint       ${certificate.thumbprint}`,
    `valid until      ${new Date(certificate.validToMs).toISOString().slice(0, 10)}`,
    `file             ${certificate.path}`,
    ...(certificate.warning === null ? [] : [certificate.warning]),
  ];
}
