import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { decodeMessage } from "../../cloud-sync/contract/frame/message.ts";
import { tagged } from "../../cloud-sync/contract/frame/tagged-json.ts";

// Goal: what was ever sent can be read for ever. Method: as with blocks, messages made once; their bytes are the format.
const folder = join(import.meta.dirname, "frame", "v1");
const names = readdirSync(folder)
  .filter((file) => file.endsWith(".message"))
  .map((file) => file.replace(".message", ""));

test("the golden messages are all there", () => {
  expect(names.sort()).toEqual(["empty", "events", "live", "rollups", "stored"]);
});

test.each(names)("%s gives what it gave when it was made", (name) => {
  const body = readFileSync(join(folder, `${name}.message`));
  const { contentType, ...json } = JSON.parse(readFileSync(join(folder, `${name}.json`), "utf8"));
  const { blocks, rollups, events } = decodeMessage({ contentType, body });
  const said = {
    blocks: blocks.map(({ block, bytes }) => ({ isStored: bytes !== undefined, events: tagged(block.events()) })),
    rollups: rollups.map((part) => ({
      ...part,
      aggregates: part.aggregates && Buffer.from(part.aggregates).toString("hex"),
    })),
    events: tagged(events),
  };
  expect(JSON.parse(JSON.stringify(said))).toEqual(json);
});
