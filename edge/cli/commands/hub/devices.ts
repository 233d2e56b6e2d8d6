import { X509Certificate } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import type { Cli } from "../../cli.ts";
import { parseCount } from "../../duration.ts";
import { tableLines } from "../../table.ts";
import { harmless } from "../../text.ts";
import { findHub, type HubFolderOptions, withHubFolder } from "./hub-folder.ts";
import { type HubDevice, withIdentities } from "./hub-identities.ts";

interface AddOptions extends HubFolderOptions {
  readonly x509?: boolean;
  readonly days: string;
}

export function devicesCommand(cli: Cli): Command {
  const command = new Command("devices").description("who may connect to the hub, whether it runs or not");
  withHubFolder(command.command("list"))
    .description("every device, how it proves itself and whether it is connected")
    .action((options: HubFolderOptions) => list(cli, options));
  withHubFolder(command.command("add"))
    .description("registers a device and prints its connection string")
    .argument("<id>", "letters, digits and -.:_ among others, at most 128")
    .option("--x509", "by a certificate that is made for it, in place of a key")
    .option("--days <days>", "with --x509: how long the certificate is good for", "365")
    .action((id: string, options: AddOptions) => add(cli, id, options));
  return command;
}

async function list(cli: Cli, options: HubFolderOptions): Promise<void> {
  const devices = await withIdentities(cli, findHub(cli, options), (identities) => identities.list());
  const shown = devices.map(({ deviceId, status, connectionState, lastActivityTime, authentication }) => {
    return { deviceId, status, connectionState, lastActivityTime, proof: authentication.type };
  });
  await cli.output.result(shown, () => {
    if (shown.length === 0) return ["no device is registered; add one: tailstock hub devices add ID"];
    return tableLines(
      [{ title: "DEVICE" }, { title: "STATUS" }, { title: "LINK" }, { title: "PROOF" }],
      shown.map((each) => [harmless(each.deviceId), each.status, each.connectionState.toLowerCase(), each.proof]),
    );
  });
}

async function add(cli: Cli, id: string, { x509 = false, days, ...options }: AddOptions): Promise<void> {
  const hub = findHub(cli, options);
  const daysOfLife = parseCount(days, { min: 1, max: 36_500, what: "a number of days" });
  const { device, files } = await withIdentities(cli, hub, async (identities) => {
    if (!x509) return { device: await identities.add(id), files: null };
    const { makeDeviceCertificate } = await import("../../../../cloud-sync/hub/make-certificate.ts");
    const subject = { commonName: id, days: daysOfLife, nowMs: cli.clock.nowMs() };
    const made = await makeDeviceCertificate(undefined, subject);
    const thumbprint = new X509Certificate(made.certificate).fingerprint256.replaceAll(":", "");
    const added = await identities.add(id, thumbprint);
    return { device: added, files: writeCertificate(hub.folder, id, made) };
  });
  const connectionString = await connectionStringOf(device, hub.addresses);
  await cli.output.result({ deviceId: device.deviceId, connectionString, ca: hub.addresses.ca, ...files }, () => [
    connectionString,
    ...(files === null ? [] : ["", `certificate  ${files.certificate}`, `key          ${files.key}`]),
  ]);
}

export async function connectionStringOf(
  device: HubDevice,
  { hostName, mqtt }: { readonly hostName: string; readonly mqtt: string },
): Promise<string> {
  const { deviceConnectionString } = await import("../../../../cloud-sync/hub/connection-strings.ts");
  return deviceConnectionString(device, hostName, Number(new URL(mqtt).port));
}

function writeCertificate(
  folder: string,
  id: string,
  made: { readonly certificate: string; readonly key: string },
): { certificate: string; key: string } {
  const devices = join(folder, "devices");
  mkdirSync(devices, { recursive: true, mode: 0o700 });
  // An id may hold characters that file names must not.
  const name = encodeURIComponent(id).replaceAll("*", "%2A");
  const paths = { certificate: join(devices, `${name}.pem`), key: join(devices, `${name}.key`) };
  writeFileSync(paths.key, made.key, { mode: 0o600 });
  writeFileSync(paths.certificate, made.certificate);
  return paths;
}
