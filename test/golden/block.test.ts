import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { expect, test } from "vitest";
import { decodeBlock, readBlockHead, verifyBlock } from "../../cloud-sync/contract/block/block.ts";
import { encodeBlock } from "../../cloud-sync/contract/block/block-builder.ts";
import { type BlockJson, blockFromJson, blockToJson } from "../../cloud-sync/contract/block/block-json.ts";

// Goal: what was ever written can be read for ever.
// Method: blocks of each kind, made once; their bytes are the format. A changed encoder may make others, which must say the same.
const folder = join(import.meta.dirname, "block", "v1");
const names = readdirSync(folder)
  .filter((file) => file.endsWith(".block"))
  .map((file) => file.replace(".block", ""));

test("the golden blocks are all there", () => {
  expect(names.sort()).toEqual([
    "empty",
    "modbus",
    "numbers",
    "polled",
    "rare",
    "slow",
    "subscribed",
    "times",
    "values",
  ]);
});

test.each(names)("%s gives what it gave when it was made", (name) => {
  const bytes = readFileSync(join(folder, `${name}.block`));
  const json = JSON.parse(readFileSync(join(folder, `${name}.json`), "utf8")) as BlockJson;
  expect(verifyBlock(bytes)).toEqual(readBlockHead(bytes));
  const block = decodeBlock(bytes);
  expect(blockToJson(block)).toEqual(json);
  const events = block.events();
  const again = decodeBlock(blockFromJson(json));
  expect(isDeepStrictEqual(again.events(), events)).toBe(true);
  expect({ ...again.head, bytes: 0, headBytes: 0 }).toEqual({ ...block.head, bytes: 0, headBytes: 0 });
  if (events.length === 0) return;
  expect(isDeepStrictEqual(decodeBlock(encodeBlock(events, block.head.previousHash)).events(), events)).toBe(true);
});
