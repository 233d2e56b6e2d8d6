import { HubError } from "../hub-error.ts";

/** @param ifMatch an etag, quoted or not; "*" or undefined for any. @throws HubError PreconditionFailed */
export function checkEtag(etag: string, ifMatch: string | undefined): void {
  if (ifMatch === undefined) return;
  const wanted = ifMatch.replace(/^(?:W\/)?"(.*)"$/, "$1");
  if (wanted !== "*" && wanted !== etag) {
    throw new HubError("PreconditionFailed", `the etag is ${etag} by now, not ${wanted}`);
  }
}
