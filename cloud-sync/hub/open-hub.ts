import { join } from "node:path";
import type { Logger } from "pino";
import type { Clock } from "../../edge/kernel/clock.ts";
import { FailureLog } from "../../edge/kernel/failure-log.ts";
import { ConnectedLinks } from "./connected-links.ts";
import type { Hub } from "./ports.ts";
import { SqliteCommandQueue } from "./store/command-queue.ts";
import { openDatabase } from "./store/database.ts";
import { emitChanges } from "./store/emit-changes.ts";
import { type Retention, SqliteEventLog } from "./store/event-log.ts";
import { type Limits, SqliteMeter } from "./store/meter.ts";
import { SqlitePolicies } from "./store/policies.ts";
import { SqliteRegistry } from "./store/registry.ts";
import { SqliteSessions } from "./store/sessions.ts";
import { SqliteTwins } from "./store/twins.ts";

const PARTITIONS = 4;
const RETENTION: Retention = { ageMsMax: 7 * 86_400_000, bytesMax: 8 * 2 ** 30 };
/** What was metered and who was heard of last is written so often. */
const SAVE_INTERVAL_MS = 1_000;
const STATE_PAGE_BYTES = 4_096;
const STATE_CACHE_KIB = 4_096;
const STATE_CHECKPOINT_PAGES = 1_000;

export interface HubOptions {
  /** Where its two files lie: hub.db, and events.db, so that events never wait for a write of the registry. */
  readonly folder: string;
  readonly hostName: string;
  readonly hubName: string;
  /** 1 to 32, default 4; a hub that exists keeps its number. */
  readonly partitions?: number;
  /** The edition that it plays; default "none": everything is counted and nothing refused. */
  readonly limits?: Limits;
  /** Default seven days, 8 GiB. */
  readonly retention?: Partial<Retention>;
  /** Whether changes of twins and of the registry are events too; default neither. */
  readonly emit?: { readonly twinChanges?: boolean; readonly lifecycle?: boolean };
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Opens or makes the hub of a folder. Disposing it cuts everyone off, writes what waits and closes the files.
 * @throws HubError ServiceUnavailable when the files can't be used, ArgumentInvalid
 */
export function openHub(options: HubOptions): Hub & AsyncDisposable {
  const { folder, clock, logger } = options;
  const events = new SqliteEventLog({
    path: join(folder, "events.db"),
    partitions: options.partitions ?? PARTITIONS,
    retention: { ...RETENTION, ...options.retention },
    clock,
    logger,
  });
  const database = openStateDatabase(join(folder, "hub.db"), events);
  const links = new ConnectedLinks(clock, {
    changed: (identity) => registry.noteActivity(identity, "connection"),
    touched: (identity) => registry.noteActivity(identity, "message"),
  });
  const twins = new SqliteTwins(database, clock);
  const commands = new SqliteCommandQueue(database, clock, (deviceId) => registry.get({ deviceId })?.generationId);
  const registry = new SqliteRegistry({
    database,
    twins,
    clock,
    isConnected: (identity) => links.get(identity) !== undefined,
    connectedDevices: () => links.connectedDevices,
    commandsOf: (deviceId) => commands.count(deviceId),
    onRemoving: (deviceId) => commands.forget(deviceId),
  });
  registry.onChanged((identity, entry) => {
    if (entry === undefined) links.cut(identity, "the identity was removed");
    else if (entry.status === "disabled") links.cut(identity, "the identity was disabled");
  });
  const meter = new SqliteMeter(database, clock, options.limits ?? "none");
  emitChanges({ events, registry, twins, hubName: options.hubName, clock, logger, ...options.emit });

  const stopping = new AbortController();
  const save = (): void => {
    meter.save();
    registry.saveActivity();
    commands.sweep();
  };
  const kept = Promise.all([
    repeat(save, clock, stopping.signal, new FailureLog(logger, clock, { component: "hub state" })),
    repeat(
      () => events.retain(),
      clock,
      stopping.signal,
      new FailureLog(logger, clock, { component: "hub retention" }),
    ),
  ]);

  let closed: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    stopping.abort();
    links.closeAll("the hub closes");
    await kept;
    events.close();
    try {
      save();
    } finally {
      // Also when the disk takes nothing more.
      database.close();
    }
  };
  return {
    hostName: options.hostName,
    hubName: options.hubName,
    events,
    registry,
    twins,
    commands,
    links,
    sessions: new SqliteSessions(database),
    access: new SqlitePolicies(database),
    meter,
    clock,
    logger,
    [Symbol.asyncDispose]: () => {
      closed ??= close();
      return closed;
    },
  };
}

function openStateDatabase(path: string, events: SqliteEventLog): ReturnType<typeof openDatabase> {
  try {
    return openDatabase({
      path,
      kind: "state",
      pageBytes: STATE_PAGE_BYTES,
      cacheKib: STATE_CACHE_KIB,
      checkpointPages: STATE_CHECKPOINT_PAGES,
    });
  } catch (error) {
    events.close();
    throw error;
  }
}

/** Once every interval, and again at once (in the loop's next turn) as long as the work says that there is more. */
async function repeat(
  // biome-ignore lint/suspicious/noConfusingVoidType: work that says nothing is done
  work: () => boolean | void,
  clock: Clock,
  signal: AbortSignal,
  failures: FailureLog,
): Promise<void> {
  while (!signal.aborted) {
    let isMore = false;
    try {
      isMore = work() === true;
      failures.recovered();
    } catch (error) {
      failures.failed(error);
    }
    if (isMore) await new Promise(setImmediate);
    else await clock.sleep(SAVE_INTERVAL_MS, signal);
  }
}
