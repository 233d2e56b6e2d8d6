import {
  AttributeIds,
  CreateMonitoredItemsRequest,
  type CreateMonitoredItemsResponse,
  CreateSubscriptionRequest,
  type CreateSubscriptionResponse,
  DataChangeFilter,
  DataChangeTrigger,
  DeadbandType,
  DeleteMonitoredItemsRequest,
  DeleteSubscriptionsRequest,
  type MonitoredItemCreateRequestOptions,
  MonitoringMode,
  TimestampsToReturn,
} from "node-opcua-client";
import type { Clock } from "../../kernel/clock.ts";
import type { Delivery } from "./delivery.ts";
import { addressOf } from "./delivery.ts";
import type { Item, Subscription } from "./item.ts";
import { inChunks, type OperationLimits } from "./limits.ts";
import type { OpcuaLink } from "./link.ts";
import { ServiceStatus } from "./services.ts";

/** A notification message carries at most this many values, so that decoding one never holds the process up for long. */
const NOTIFICATIONS_PER_PUBLISH = 2_000;
/** The server forgets a subscription that nobody asks after for this long; longer than a session lives without us. */
const LIFETIME_MS = 60_000;
const DELETE_MS = 1_000;

/** @throws EdgeError DRIVER_REFUSED when the server has no subscriptions, or none left */
export async function createSubscription(
  link: OpcuaLink,
  clock: Clock,
  options: { publishingIntervalMs: number; staleAfterMs: number },
): Promise<Subscription> {
  const { publishingIntervalMs, staleAfterMs } = options;
  const keepAliveCount = Math.max(1, Math.floor(staleAfterMs / 3 / publishingIntervalMs));
  const response = await link.request<CreateSubscriptionResponse>(
    new CreateSubscriptionRequest({
      requestedPublishingInterval: publishingIntervalMs,
      requestedMaxKeepAliveCount: keepAliveCount,
      requestedLifetimeCount: Math.max(keepAliveCount * 10, Math.ceil(LIFETIME_MS / publishingIntervalMs)),
      maxNotificationsPerPublish: NOTIFICATIONS_PER_PUBLISH,
      publishingEnabled: true,
      priority: 0,
    }),
  );
  return {
    id: response.subscriptionId,
    keepAliveMs: response.revisedMaxKeepAliveCount * response.revisedPublishingInterval,
    publishingIntervalMs: response.revisedPublishingInterval,
    heardMs: clock.monotonicMs(),
    lastSequence: 0,
    republished: false,
  };
}

/** Never throws: it is clean-up, and the server forgets a subscription by itself in the end. */
export async function deleteSubscriptions(link: OpcuaLink, subscriptions: readonly Subscription[]): Promise<void> {
  if (subscriptions.length === 0) return;
  const subscriptionIds = subscriptions.map((each) => each.id);
  await link.request(new DeleteSubscriptionsRequest({ subscriptionIds }), DELETE_MS).catch(() => undefined);
}

/**
 * Creates the monitored items, within the server's limits (P15). Each item that is refused becomes Bad with its own
 * status and a problem. A refused deadband is left out: an absolute one is then applied here, a percentage is not.
 */
export async function monitor(
  link: OpcuaLink,
  subscription: Subscription,
  items: readonly Item[],
  limits: OperationLimits,
  deps: { clock: Clock; delivery: Delivery },
): Promise<void> {
  const bound = { size: limits.monitor };
  const unfiltered: Item[] = [];
  const create = async (chunk: readonly Item[]): Promise<void> => {
    const request = new CreateMonitoredItemsRequest({
      subscriptionId: subscription.id,
      timestampsToReturn: TimestampsToReturn.Both,
      itemsToCreate: chunk.map(requestOf),
    });
    const response = await link.request<CreateMonitoredItemsResponse>(request);
    for (const [i, item] of chunk.entries()) {
      const result = response.results?.[i];
      const statusCode = result ? result.statusCode.value >>> 0 : ServiceStatus.BadServiceUnsupported;
      if (result && statusCode < 0x80000000) {
        item.subscription = subscription;
        item.monitoredItemId = result.monitoredItemId;
        item.samplingIntervalMs = Math.max(item.signal.samplingIntervalMs, result.revisedSamplingInterval);
        item.heardMs = deps.clock.monotonicMs();
        item.fresh = true;
      } else if (isFilterRefusal(statusCode) && item.signal.deadband !== null && !item.localDeadband) {
        unfiltered.push(item);
      } else {
        deps.delivery.fail(item, statusCode);
      }
    }
  };
  const refuse = (item: Item, error: { statusCode: number | undefined; message: string }): void =>
    deps.delivery.fail(
      item,
      error.statusCode ?? ServiceStatus.BadServiceUnsupported,
      `${addressOf(item)}: ${error.message}`,
    );
  await inChunks(items, bound, create, refuse);
  for (const item of unfiltered) item.localDeadband = true;
  await inChunks(unfiltered, bound, create, refuse);
  for (const item of unfiltered) {
    if (item.subscription === null || item.signal.deadband?.kind !== "percent") continue;
    deps.delivery.problem(
      item,
      ServiceStatus.BadMonitoredItemFilterUnsupported,
      `${addressOf(item)}: the server refuses a percent deadband, so every change is delivered`,
      "give the deadband as an absolute value; it then also works without the server",
    );
  }
  limits.monitor = bound.size;
}

export async function unmonitor(link: OpcuaLink, items: readonly Item[], limits: OperationLimits): Promise<void> {
  for (const [subscription, group] of Map.groupBy(items, (item) => item.subscription)) {
    if (subscription === null) continue;
    const call = async (chunk: readonly Item[]): Promise<void> => {
      const monitoredItemIds = chunk.map((item) => item.monitoredItemId);
      await link.request(new DeleteMonitoredItemsRequest({ subscriptionId: subscription.id, monitoredItemIds }));
    };
    await inChunks(group, { size: limits.monitor }, call, () => undefined);
  }
}

function isFilterRefusal(statusCode: number): boolean {
  return [
    ServiceStatus.BadFilterNotAllowed,
    ServiceStatus.BadMonitoredItemFilterUnsupported,
    0x80430000 /* BadMonitoredItemFilterInvalid */,
    0x808e0000 /* BadDeadbandFilterInvalid */,
  ].some((code) => code === statusCode);
}

function requestOf(item: Item): MonitoredItemCreateRequestOptions {
  const { signal } = item;
  const filter =
    signal.deadband === null || item.localDeadband
      ? null
      : new DataChangeFilter({
          trigger: DataChangeTrigger.StatusValue,
          deadbandType: signal.deadband.kind === "absolute" ? DeadbandType.Absolute : DeadbandType.Percent,
          deadbandValue: signal.deadband.value,
        });
  return {
    ...(item.nodeId ? { itemToMonitor: { nodeId: item.nodeId, attributeId: AttributeIds.Value } } : {}),
    monitoringMode: MonitoringMode.Reporting,
    requestedParameters: {
      clientHandle: item.handle,
      samplingInterval: signal.samplingIntervalMs,
      queueSize: signal.queueSize,
      discardOldest: signal.discardOldest,
      filter,
    },
  };
}
