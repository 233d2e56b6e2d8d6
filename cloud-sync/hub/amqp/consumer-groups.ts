import { HubError } from "../hub-error.ts";

const DEFAULT = "$Default";
const CONSUMER_GROUPS_MAX = 20;
/** Event Hubs' rule for names. */
const NAME = /^[A-Za-z0-9](?:[\w.-]{0,48}[A-Za-z0-9_])?$/;

/**
 * The names of consumer groups, $Default first, each once whatever its letters' case.
 * @throws HubError ArgumentInvalid
 */
export function consumerGroupsOf(names: readonly string[]): string[] {
  const byKey = new Map([[DEFAULT.toLowerCase(), DEFAULT]]);
  for (const name of names) {
    const key = name.toLowerCase();
    if (byKey.has(key)) continue;
    if (!NAME.test(name)) {
      throw new HubError(
        "ArgumentInvalid",
        `"${name}" is not a consumer group: 1 to 50 letters, digits and . - _, a letter or digit first`,
      );
    }
    byKey.set(key, name);
  }
  if (byKey.size > CONSUMER_GROUPS_MAX) {
    throw new HubError("ArgumentInvalid", `${byKey.size} consumer groups, at most ${CONSUMER_GROUPS_MAX} are allowed`);
  }
  return [...byKey.values()];
}
