import { once } from "node:events";
import { Command } from "commander";
import { EdgeError } from "../../kernel/errors.ts";
import { createLogger } from "../../kernel/logging.ts";
import type { Cli } from "../cli.ts";
import { parseCount } from "../duration.ts";
import { parseLogLevel } from "../log-level.ts";
import { connectionStringCommand } from "./hub/connection-string.ts";
import { devicesCommand } from "./hub/devices.ts";
import { type HubFolderOptions, newHubFolder, withHubFolder } from "./hub/hub-folder.ts";
import { hubTailCommand } from "./hub/tail.ts";

const EXAMPLES = `
Examples:
  tailstock hub                                        on this computer alone, until Ctrl-C
  tailstock hub --listen 0.0.0.0 --host-name hub.plant.local --port-https 443
  tailstock hub devices add box-7                      registers a device, prints its connection string
  tailstock hub connection-string --events             for Event Hubs clients
  tailstock hub tail                                   events as they arrive

Microsoft's service clients reach the REST API on port 443 only; a port below 1024 may need rights of its own.`;

const LOOPBACK = "127.0.0.1";
const PORT = { min: 0, max: 65_535, what: "a port" };

interface HubCommandOptions extends HubFolderOptions {
  readonly portMqtt: string;
  readonly portHttps: string;
  readonly portAmqp: string;
  readonly portAmqpPlain: string;
  readonly workload?: string;
  readonly listen: string;
  readonly hostName: string;
  readonly device: readonly string[];
  readonly consumerGroup: readonly string[];
  readonly edition?: string;
  readonly units: string;
  readonly logLevel: string;
}

export function hubCommand(cli: Cli): Command {
  const many = (value: string, before: readonly string[]): readonly string[] => [...before, value];
  const command = withHubFolder(new Command("hub"))
    .description("a local IoT Hub that Microsoft's clients accept, for development, tests and closed networks")
    .option("--port-mqtt <port>", "of devices; 0 is any free one", "8883")
    .option("--port-https <port>", "of the REST API, and of WebSocket", "8443")
    .option("--port-amqp <port>", "of consumers of events; off leaves it out", "5671")
    .option("--port-amqp-plain <port>", "the same without TLS, on this computer only; off leaves it out", "5672")
    .option("--workload <socket>", "path of a unix socket for the IoT Edge workload API")
    .option("--listen <address>", "the address to listen on", LOOPBACK)
    .option("--host-name <name>", "what its clients call it", "localhost")
    .option("--device <id>", "a device that is made when it is not there (repeat)", many, [])
    .option("--consumer-group <name>", "of consumers of events, beside $Default (repeat)", many, [])
    .option("--edition <name>", "refuse and slow down as S1, S2 or S3 does; without it everything is only counted")
    .option("--units <count>", "with --edition", "1")
    .option("--log-level <level>", "log lines: fatal, error, warn, info, debug or trace", "warn")
    .addHelpText("after", EXAMPLES)
    .action((options: HubCommandOptions) => hub(cli, options))
    // What stands behind a sub-command is the sub-command's; the folder may stand before it as well.
    .enablePositionalOptions()
    .hook("preAction", (self, action) => {
      const { data } = self.opts<HubFolderOptions>();
      if (action !== self && data !== undefined && action.opts<HubFolderOptions>().data === undefined)
        action.setOptionValue("data", data);
    });
  for (const make of [devicesCommand, connectionStringCommand, hubTailCommand]) command.addCommand(make(cli));
  return command;
}

async function hub(cli: Cli, options: HubCommandOptions): Promise<void> {
  const port = (text: string): number => parseCount(text, PORT);
  const maybe = (text: string): number | null => (text === "off" ? null : port(text));
  const isPlainDefault = options.portAmqpPlain === "5672";
  // Keys must not cross a network in the clear: beyond this computer, plain AMQP is only there when it is asked for.
  const amqpPlain = options.listen !== LOOPBACK && isPlainDefault ? null : maybe(options.portAmqpPlain);
  const units = parseCount(options.units, { min: 1, max: 200, what: "a number of units" });
  const { edition } = options;
  if (edition !== undefined && edition !== "S1" && edition !== "S2" && edition !== "S3") {
    throw new EdgeError("USAGE", `"${edition}" is not an edition`, { hint: "Known: S1, S2, S3." });
  }
  const [{ startLocalHub }, { HubError }] = await Promise.all([
    import("../../../cloud-sync/hub/local-hub.ts"),
    import("../../../cloud-sync/hub/hub-error.ts"),
  ]);
  const level = parseLogLevel(options.logLevel);
  try {
    await using running = await startLocalHub({
      folder: newHubFolder(cli, options),
      hostName: options.hostName,
      hubName: "tailstock",
      host: options.listen,
      ports: {
        mqtt: port(options.portMqtt),
        https: port(options.portHttps),
        amqp: maybe(options.portAmqp),
        amqpPlain,
      },
      workload: options.workload === undefined ? null : { socketPath: options.workload },
      deviceIds: options.device,
      consumerGroups: options.consumerGroup,
      ...(edition === undefined ? {} : { limits: { edition, units } }),
      clock: cli.clock,
      logger: createLogger({ level, pretty: !cli.output.json, destination: process.stderr }),
    });
    const { addresses } = running;
    if (cli.output.json) await cli.output.jsonLine({ ready: true, ...addresses });
    else {
      await cli.output.lines([
        "",
        `  Devices (MQTT)         ${addresses.mqtt}`,
        `  Services (REST)        ${addresses.https}`,
        `  Events (AMQP)          ${addresses.amqp ?? "off"}`,
        `  Events without TLS     ${addresses.amqpPlain ?? "off"}`,
        ...(addresses.workload === null ? [] : [`  IoT Edge workload API  ${addresses.workload}`]),
        `  Certificate to trust   ${addresses.ca}`,
        `  Connection strings     ${addresses.connections}`,
        "",
        "  In another terminal, in this folder:",
        "    npx tailstock hub devices add box-7",
        "    npx tailstock hub tail",
        "",
        "  Ctrl-C ends it.",
        "",
      ]);
    }
    if (!cli.signal.aborted) await once(cli.signal, "abort");
  } catch (error) {
    if (!(error instanceof HubError)) throw error;
    if (error.code === "ArgumentInvalid") throw new EdgeError("USAGE", error.message, { cause: error });
    throw new EdgeError("HUB_UNAVAILABLE", error.message, {
      cause: error,
      hint: "Another hub may run on this folder; stop it, or name another folder with --data.",
    });
  }
}
