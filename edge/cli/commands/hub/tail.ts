import { readFileSync } from "node:fs";
import tls from "node:tls";
import type { EventPosition, ReceivedEventData } from "@azure/event-hubs";
import { Command } from "commander";
import { readHubConnections } from "../../../../cloud-sync/hub/hub-file.ts";
import { EdgeError, messageOf } from "../../../kernel/errors.ts";
import type { Cli } from "../../cli.ts";
import { parseSince } from "../../duration.ts";
import { bytesText, harmless, timeText } from "../../text.ts";
import { findHub, type HubFolderOptions, withHubFolder } from "./hub-folder.ts";

const BATCH_EVENTS = 100;
const WAIT_SECONDS = 1;
const RETRY = { maxRetries: 2, retryDelayInMs: 500 };

interface TailOptions extends HubFolderOptions {
  readonly device?: string;
  readonly since?: string;
  readonly group: string;
}

export function hubTailCommand(cli: Cli): Command {
  return withHubFolder(new Command("tail"))
    .description("follows the events that arrive at a running hub, until Ctrl-C")
    .option("--device <id>", "only of this device")
    .option("--since <time>", "start so long ago (30s, 5m, 8h) or at a time (2026-03-31T14:00)")
    .option("--group <name>", "the consumer group to read by", "$Default")
    .action((options: TailOptions) => tail(cli, options));
}

async function tail(cli: Cli, options: TailOptions): Promise<void> {
  const { addresses } = findHub(cli, options);
  const { eventsPlain, events } = readHubConnections(addresses.connections);
  const connectionString = eventsPlain ?? events;
  if (connectionString === null) {
    throw new EdgeError("HUB_UNAVAILABLE", "the hub was started without its event endpoint", {
      hint: "Start it without --port-amqp off.",
    });
  }
  // The client has no option for a certificate authority of one's own.
  if (eventsPlain === null) {
    tls.setDefaultCACertificates([...tls.getCACertificates("default"), readFileSync(addresses.ca, "utf8")]);
  }
  const startPosition: EventPosition =
    options.since === undefined
      ? { offset: "@latest" }
      : { enqueuedOn: parseSince(options.since, cli.clock.nowMs()), isInclusive: true };
  const { EventHubConsumerClient } = await import("@azure/event-hubs");
  const client = new EventHubConsumerClient(options.group, connectionString, { retryOptions: RETRY });
  const failed = Promise.withResolvers<never>();
  failed.promise.catch(() => undefined);
  const subscription = client.subscribe(
    {
      processEvents: async (received, { partitionId }) => {
        for (const event of received) {
          if (options.device === undefined || sourceOf(event) === options.device) await show(cli, event, partitionId);
        }
      },
      processError: async (error) => {
        failed.reject(
          new EdgeError("HUB_UNAVAILABLE", `the hub's events cannot be read: ${messageOf(error)}`, {
            cause: error,
            hint: "Look whether the hub runs, and whether another reader took the consumer group (--group).",
          }),
        );
      },
    },
    { startPosition, maxBatchSize: BATCH_EVENTS, maxWaitTimeInSeconds: WAIT_SECONDS },
  );
  try {
    await Promise.race([failed.promise, untilAborted(cli.signal)]);
  } finally {
    await subscription.close().catch(() => undefined);
    await client.close().catch(() => undefined);
  }
}

async function show(cli: Cli, event: ReceivedEventData, partition: string): Promise<void> {
  const bytes = bytesOf(event);
  const properties = event.properties ?? {};
  if (cli.output.json) {
    const { sequenceNumber, offset, enqueuedTimeUtc } = event;
    await cli.output.jsonLine({
      device: sourceOf(event),
      partition,
      sequenceNumber,
      offset,
      enqueuedTimeUtc,
      bytes,
      properties,
    });
    return;
  }
  const shown = Object.entries(properties).map(([name, value]) => `${name}=${String(value)}`);
  await cli.output.lines([
    [
      timeText(event.enqueuedTimeUtc.getTime()),
      harmless(sourceOf(event)),
      `${partition}/${event.sequenceNumber}`,
      bytesText(bytes),
      harmless(shown.join(" ")),
    ]
      .join("  ")
      .trimEnd(),
  ]);
}

function sourceOf({ systemProperties = {} }: ReceivedEventData): string {
  const device: unknown = systemProperties["iothub-connection-device-id"];
  const module: unknown = systemProperties["iothub-connection-module-id"];
  if (device === undefined || device === null) return "–";
  return module === undefined || module === null ? String(device) : `${String(device)}/${String(module)}`;
}

/** The body as it came when it is bytes; the client has made a value of what is JSON. */
function bytesOf(event: ReceivedEventData): number {
  const { body } = event;
  if (Buffer.isBuffer(body) || body instanceof Uint8Array) return body.byteLength;
  return Buffer.byteLength(typeof body === "string" ? body : (JSON.stringify(body) ?? ""));
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
