/** Nodes of this front. Partition ids stay text until somebody knows how many there are. */
export type Address =
  | { readonly kind: "cbs" }
  | { readonly kind: "management" }
  | { readonly kind: "consumer"; readonly consumerGroup: string; readonly partition: string }
  | { readonly kind: "producer"; readonly partition: string | undefined }
  | { readonly kind: "commands" }
  | { readonly kind: "feedback" }
  | { readonly kind: "file-notifications" }
  /** IoT Hub's own name for the events, which it answers with the address of the event hub. */
  | { readonly kind: "redirect"; readonly rest: string };

/**
 * @param text "hub/ConsumerGroups/$Default/Partitions/0", "/messages/devicebound", or a whole URL; letter case does not
 *   matter, as with Event Hubs.
 * @returns undefined when there is no such node
 */
export function parseAddress(text: string, hubName: string): Address | undefined {
  const path = pathOf(text);
  const lower = path.toLowerCase();
  if (lower === "$cbs") return { kind: "cbs" };
  if (lower === "$management") return { kind: "management" };
  if (lower === "messages/devicebound") return { kind: "commands" };
  if (lower === "messages/servicebound/feedback") return { kind: "feedback" };
  if (lower === "messages/servicebound/filenotifications") return { kind: "file-notifications" };
  if (lower === "messages/events" || lower.startsWith("messages/events/")) {
    return { kind: "redirect", rest: path.slice("messages/events".length) };
  }
  const [entity, ...rest] = path.split("/");
  if (entity?.toLowerCase() !== hubName.toLowerCase()) return undefined;
  const word = rest[0]?.toLowerCase();
  if (word === undefined) return { kind: "producer", partition: undefined };
  if (word === "$management" && rest.length === 1) return { kind: "management" };
  if (word === "partitions" && rest[1] !== undefined && rest.length === 2) {
    return { kind: "producer", partition: rest[1] };
  }
  const [, consumerGroup, partitions, partition] = rest;
  if (
    word === "consumergroups" &&
    consumerGroup !== undefined &&
    partitions?.toLowerCase() === "partitions" &&
    partition !== undefined &&
    rest.length === 4
  ) {
    return { kind: "consumer", consumerGroup, partition };
  }
  return undefined;
}

/** Without scheme, host and outer slashes: what claims and addresses are compared by. */
export function pathOf(text: string): string {
  const scheme = text.indexOf("://");
  const path = scheme < 0 ? text : text.slice(scheme + 3).replace(/^[^/]*/, "");
  return path.replace(/^\/+|\/+$/g, "");
}
