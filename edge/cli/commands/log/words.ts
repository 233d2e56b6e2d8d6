import type { LedgerState } from "../../../../cloud-sync/contract/ledger.ts";

/** What a state of the ledger means, for people. */
export const STATE_TEXT: Readonly<Record<LedgerState, string>> = {
  fresh: "not sealed yet",
  sealed: "whole, in blocks",
  thinned: "thinned by the quota: one-minute aggregates are left",
  forwarded: "let go: the cloud has them",
  shed: "let go by the quota",
  expired: "let go by age",
  corrupt: "damaged, set aside",
  lost: "lost",
};

const THOUSANDS = /\B(?=(\d{3})+(?!\d))/g;

/** 12345678 as "12,345,678". */
export function numberText(value: number): string {
  return String(Math.round(value)).replace(THOUSANDS, ",");
}

export function plural(count: number, noun: string): string {
  return `${numberText(count)} ${noun}${count === 1 ? "" : "s"}`;
}

/** A quota in the unit of its configuration key. */
export function mebibytes(bytes: number): number {
  return Math.ceil(bytes / 2 ** 20);
}

/** "12–40", or "12" alone. */
export function rangeText({ firstSeq, lastSeq }: { readonly firstSeq: number; readonly lastSeq: number }): string {
  return firstSeq === lastSeq ? String(firstSeq) : `${firstSeq}–${lastSeq}`;
}

/** "1.83 B", "0.4/s": three digits, never an exponent. */
export function digits(value: number): string {
  return value >= 100 ? numberText(value) : String(Number(value.toPrecision(3)));
}
