import { isLoopback } from "../../../../edge/kernel/hosts.ts";

/** What is wrong with an issuer's address; undefined when nothing is. */
export function checkIssuer(issuer: string): string | undefined {
  if (!URL.canParse(issuer)) return `"${issuer}" is no address`;
  const { protocol, hostname } = new URL(issuer);
  if (protocol === "https:") return undefined;
  if (protocol !== "http:") return `"${issuer}" is no https address`;
  return isLoopback(hostname) ? undefined : `"${issuer}" is http, and who is on the way could log in as anybody`;
}
