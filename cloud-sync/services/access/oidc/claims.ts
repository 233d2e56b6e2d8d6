import { ROLES, type Role } from "../access.ts";

export type Claims = Readonly<Record<string, unknown>>;

const NAME_CHARACTERS_MAX = 128;
const NAME_CLAIMS = ["name", "preferred_username", "email"] as const;

/** A claim by its name, or by the way to it through objects: realm_access.roles. */
export function claimAt(claims: Claims, path: string): unknown {
  if (Object.hasOwn(claims, path)) return claims[path];
  let value: unknown = claims;
  for (const key of path.split(".")) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Claims)[key];
  }
  return value;
}

/** The highest role that the claim's values give; undefined: none. */
export function roleOf(claims: Claims, path: string, roles: Readonly<Record<string, Role>>): Role | undefined {
  const value = claimAt(claims, path);
  const values = (Array.isArray(value) ? value : [value]).filter((each) => typeof each === "string");
  const isMapped = Object.keys(roles).length > 0;
  const given = values.map((each) =>
    isMapped ? (Object.hasOwn(roles, each) ? roles[each] : undefined) : ROLES.find((role) => role === each),
  );
  return ROLES.findLast((role) => given.includes(role));
}

/** What people call them: one line, visible. */
export function nameOf(claims: Claims, subject: string): string {
  for (const claim of [...NAME_CLAIMS.map((name) => claims[name]), subject]) {
    if (typeof claim !== "string") continue;
    const name = claim
      .toWellFormed()
      .replace(/[\p{C}\p{Zl}\p{Zp}]/gu, "")
      .trim();
    if (name !== "") return [...name].slice(0, NAME_CHARACTERS_MAX).join("");
  }
  return "unnamed";
}
