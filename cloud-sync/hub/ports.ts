import type { Logger } from "pino";
import type { Clock } from "../../edge/kernel/clock.ts";

/**
 * What the parts of the local hub are to each other. The fronts (mqtt/, rest/, amqp/, workload/) speak IoT Hub's protocols and
 * keep nothing; all that must survive a crash is behind these interfaces, in SQLite (store/), and is durable when a promise
 * resolves or a call returns. Names and fields are IoT Hub's own (REST API 2021-04-12).
 */
export interface Hub {
  /** What devices and services call it in SAS resources and user names, "localhost" or "hub.example". */
  readonly hostName: string;
  /** Entity path of the Event Hubs compatible endpoint. */
  readonly hubName: string;
  readonly events: HubEventLog;
  readonly registry: Registry;
  readonly twins: Twins;
  readonly commands: CommandQueue;
  readonly links: Links;
  readonly sessions: Sessions;
  readonly access: AccessPolicies;
  readonly meter: Meter;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A device, or one of its modules. */
export interface Identity {
  readonly deviceId: string;
  readonly moduleId?: string;
}

// ── Events ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

export type Properties = Readonly<Record<string, string>>;

/** System properties as devices set them; the hub adds its own annotations when it stores an event. */
export interface SystemProperties {
  readonly messageId?: string;
  readonly correlationId?: string;
  readonly userId?: string;
  readonly contentType?: string;
  readonly contentEncoding?: string;
  readonly creationTimeUtc?: string;
  readonly outputName?: string;
  readonly interfaceId?: string;
  readonly componentName?: string;
}

export interface NewHubEvent {
  /** Whose it is; undefined for one that a service put in by the producer link. */
  readonly source: Identity | undefined;
  readonly body: Buffer;
  readonly properties: Properties;
  readonly system: SystemProperties;
  /** "Telemetry", "twinChangeEvents", "deviceLifecycleEvents": annotation iothub-message-source. */
  readonly messageSource: string;
  /** Annotation iothub-connection-auth-method, JSON text. */
  readonly authMethod?: string;
  /** Annotation iothub-connection-auth-generation-id. */
  readonly authGenerationId?: string;
  /** Decides the partition; default the device id, else round robin. */
  readonly partitionKey?: string;
  /** Straight into one, in place of a key. */
  readonly partition?: number;
}

export interface HubEvent extends NewHubEvent {
  readonly partition: number;
  /** From 0 in each partition, without holes, never reused; x-opt-sequence-number. x-opt-offset is the same number as text. */
  readonly sequenceNumber: number;
  readonly enqueuedMs: number;
}

export interface PartitionInfo {
  readonly partition: number;
  /** First one still kept; equal to lastSequenceNumber + 1 when the partition is empty. */
  readonly firstSequenceNumber: number;
  /** -1 before the first event. */
  readonly lastSequenceNumber: number;
  readonly lastEnqueuedMs: number;
}

/** A durable partitioned log with retention by age and bytes. */
export interface HubEventLog {
  readonly partitions: number;
  /** When the log was made. */
  readonly createdMs: number;
  /** Resolves with where it is as soon as it is on disk (group commit, fdatasync); rejects when it is not. */
  append(event: NewHubEvent): Promise<{ partition: number; sequenceNumber: number }>;
  /** Ascending from `fromSequenceNumber`, at most so many events and about so many bytes, but one at least when there is one. */
  read(partition: number, fromSequenceNumber: number, limit: { events: number; bytes: number }): HubEvent[];
  /** First one enqueued after `ms`; lastSequenceNumber + 1 when there is none. */
  sequenceNumberAfter(partition: number, ms: number): number;
  info(partition: number): PartitionInfo;
  /** Called after a commit, with the partitions that grew; returns what takes the listener away. */
  onAppended(listener: (partitions: ReadonlySet<number>) => void): () => void;
}

// ── Identities ─────────────────────────────────────────────────────────────────────────────────────────────────────────

export type AuthenticationType = "sas" | "selfSigned" | "certificateAuthority" | "none";

export interface Authentication {
  readonly type: AuthenticationType;
  readonly symmetricKey: { readonly primaryKey: string | null; readonly secondaryKey: string | null };
  readonly x509Thumbprint: { readonly primaryThumbprint: string | null; readonly secondaryThumbprint: string | null };
}

/** A device or module identity as the REST API shows it, times in epoch ms. */
export interface RegistryEntry extends Identity {
  readonly generationId: string;
  readonly etag: string;
  readonly status: "enabled" | "disabled";
  readonly statusReason: string | null;
  readonly authentication: Authentication;
  readonly capabilities: { readonly iotEdge: boolean };
  readonly deviceScope: string | null;
  readonly parentScopes: readonly string[];
  readonly managedBy: string | null;
  readonly connectionState: "Connected" | "Disconnected";
  readonly connectionStateUpdatedMs: number;
  readonly statusUpdatedMs: number;
  readonly lastActivityMs: number;
  readonly cloudToDeviceMessageCount: number;
}

export type RegistryWrite = Partial<
  Pick<
    RegistryEntry,
    "status" | "statusReason" | "authentication" | "capabilities" | "deviceScope" | "parentScopes" | "managedBy"
  >
>;

export interface Registry {
  get(identity: Identity): RegistryEntry | undefined;
  /** Devices in the order of their ids, without modules. */
  devices(limit: number, afterDeviceId?: string): RegistryEntry[];
  modules(deviceId: string): RegistryEntry[];
  count(): { total: number; enabled: number; disabled: number; connected: number };
  /** Missing keys are made. @throws HubError DeviceAlreadyExists, ModuleAlreadyExistsOnDevice, DeviceNotFound, ArgumentInvalid, QuotaExceeded */
  create(identity: Identity, write: RegistryWrite): RegistryEntry;
  /** @param ifMatch an etag, "*" or undefined. @throws HubError DeviceNotFound, ModuleNotFound, PreconditionFailed, ArgumentInvalid */
  update(identity: Identity, write: RegistryWrite, ifMatch?: string): RegistryEntry;
  /** With its modules, twins, queue and sessions; what is connected is cut off. @throws HubError as update */
  remove(identity: Identity, ifMatch?: string): void;
  /** Called after a device or module was created, changed or removed (entry undefined). */
  onChanged(
    listener: (identity: Identity, entry: RegistryEntry | undefined, what: "created" | "updated" | "removed") => void,
  ): () => void;
}

// ── Twins ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };
export type JsonMap = { readonly [key: string]: Json };

export interface TwinSection {
  /** Without $metadata and $version. */
  readonly values: JsonMap;
  readonly metadata: JsonMap;
  readonly version: number;
}

export interface Twin extends Identity {
  readonly etag: string;
  readonly version: number;
  readonly tags: JsonMap;
  readonly desired: TwinSection;
  readonly reported: TwinSection;
  /** Ids of configurations that were applied, with their status. */
  readonly configurations: JsonMap;
}

export interface Twins {
  /** @throws HubError DeviceNotFound, ModuleNotFound */
  get(identity: Identity): Twin;
  all(): Iterable<Twin>;
  /** Merge patch of what devices report: null removes. Gives the new version. @throws HubError ArgumentInvalid (32 KB, depth, keys) */
  patchReported(identity: Identity, patch: JsonMap): number;
  /**
   * Of the service: merges ("patch") or replaces tags and desired properties; null takes all of a part away.
   * @throws HubError PreconditionFailed, ArgumentInvalid (tags 8 KB, desired 32 KB)
   */
  write(
    identity: Identity,
    change: { readonly tags?: JsonMap | null; readonly desired?: JsonMap | null },
    how: "patch" | "replace",
    ifMatch?: string,
  ): Twin;
  /** The patch that devices are to be told, with $version in it. */
  onDesired(listener: (identity: Identity, patch: JsonMap) => void): () => void;
}

// ── Cloud to device ────────────────────────────────────────────────────────────────────────────────────────────────────

export type Ack = "none" | "positive" | "negative" | "full";

export interface NewCommand {
  readonly deviceId: string;
  readonly body: Buffer;
  readonly properties: Properties;
  readonly system: SystemProperties & { readonly to?: string; readonly expiryTimeUtc?: string };
  readonly ack: Ack;
  /** When it is no longer wanted; default one hour. */
  readonly expiresMs?: number;
}

export interface Command extends NewCommand {
  /** Ascending over the life of the hub. */
  readonly sequenceNumber: number;
  readonly lockToken: string;
  readonly enqueuedMs: number;
  readonly deliveryCount: number;
}

export interface FeedbackRecord {
  readonly originalMessageId: string;
  readonly deviceId: string;
  readonly deviceGenerationId: string;
  readonly description: "Success" | "Expired" | "DeliveryCountExceeded" | "Rejected" | "Purged";
  readonly enqueuedTimeUtc: string;
}

export interface CommandQueue {
  /** Durable when it resolves. @throws HubError DeviceNotFound, DeviceMaximumQueueDepthExceeded (50), ArgumentInvalid (64 KB) */
  enqueue(command: NewCommand): Promise<Command>;
  /** The next that waits, now locked for a minute; undefined when there is none. */
  lock(deviceId: string): Command | undefined;
  complete(lockToken: string): void;
  /** Back into the queue, at its front. */
  abandon(lockToken: string): void;
  reject(lockToken: string): void;
  /** How many were thrown away. */
  purge(deviceId: string): number;
  onEnqueued(listener: (deviceId: string) => void): () => void;
  /** Feedback that waits for a service; gone when `settle` is called with its ids. */
  feedback(limit: number): { readonly id: number; readonly record: FeedbackRecord }[];
  settleFeedback(ids: readonly number[]): void;
  onFeedback(listener: () => void): () => void;
}

// ── Links ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

export interface MethodRequest {
  readonly methodName: string;
  readonly payload: Json;
  readonly responseTimeoutMs: number;
  readonly connectTimeoutMs: number;
}
export interface MethodResponse {
  readonly status: number;
  readonly payload: Json;
}

/** One connection of a device or module; of a front, which makes it when credentials were proved. */
export interface Link extends Identity {
  /** Undefined while the device does not listen to methods. @throws HubError GatewayTimeout, DeviceNotOnline */
  invoke: ((request: MethodRequest) => Promise<MethodResponse>) | undefined;
  /** Cuts it off, with the reason for the log. */
  close(reason: string): void;
}

/** Who is connected now. In memory: after a restart nobody is. */
export interface Links {
  /** The newest wins: an older link of the same identity is closed first. Returns what takes it off. */
  attach(link: Link): () => void;
  get(identity: Identity): Link | undefined;
  /** It is alive: moves lastActivityTime, coarsely. */
  touched(identity: Identity): void;
  /** Call it whenever a link begins to listen to methods: a request that waits for the device goes on. */
  listens(link: Link): void;
  /** Waits up to connectTimeoutMs for the device. @throws HubError DeviceNotOnline (404), GatewayTimeout (504) */
  invoke(identity: Identity, request: MethodRequest): Promise<MethodResponse>;
}

/** What a device wants to find again when it comes back (MQTT's clean=0), also after the hub was started anew. */
export interface Sessions {
  /** Topic filters with their QoS; undefined when there is no session. */
  get(identity: Identity): ReadonlyMap<string, 0 | 1> | undefined;
  save(identity: Identity, subscriptions: ReadonlyMap<string, 0 | 1>): void;
  remove(identity: Identity): void;
}

// ── Access and metering ────────────────────────────────────────────────────────────────────────────────────────────────

export type Right = "RegistryRead" | "RegistryWrite" | "ServiceConnect" | "DeviceConnect";

export interface AccessPolicy {
  readonly name: string;
  readonly primaryKey: string;
  readonly secondaryKey: string;
  readonly rights: readonly Right[];
}

/** iothubowner, service, device, registryRead, registryReadWrite, as a new IoT Hub has them; keys are made once and kept. */
export interface AccessPolicies {
  all(): AccessPolicy[];
  get(name: string): AccessPolicy | undefined;
}

export interface Meter {
  /**
   * Asks before a device's message of so many bytes (body and properties) is taken: whether now, after a delay, or not at all.
   * Charged in units of 4 KB.
   */
  admit(
    identity: Identity,
    bytes: number,
  ):
    | { readonly verdict: "now" }
    | { readonly verdict: "delay"; readonly ms: number }
    | { readonly verdict: "refused"; readonly reason: "quota" | "throttled" };
  /** Of the UTC day that runs. */
  today(): { readonly messages: number; readonly units: number; readonly bytes: number };
}
