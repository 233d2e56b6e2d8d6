import type { UplinkStatus } from "../../../cloud-sync/uplink/ports.ts";
import { uplinkStatePathOf } from "../../../cloud-sync/uplink/state/schema.ts";
import { openUplinkStateReader, type UplinkStateReader } from "../../../cloud-sync/uplink/state/state-reader.ts";
import type { UplinkSource } from "./uplink-watch.ts";

/** The uplink's word in the file that it keeps beside the log, whichever process it runs in. */
export class UplinkFile implements UplinkSource, Disposable {
  readonly #reader: UplinkStateReader;
  readonly isConfigured: () => boolean;

  constructor(logPath: string, isConfigured: () => boolean) {
    this.#reader = openUplinkStateReader(uplinkStatePathOf(logPath));
    this.isConfigured = isConfigured;
  }

  status(): UplinkStatus | undefined {
    return this.#reader.status();
  }

  [Symbol.dispose](): void {
    this.#reader[Symbol.dispose]();
  }
}
