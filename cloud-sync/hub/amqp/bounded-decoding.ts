import rhea from "rhea";

/** An array of values that take no bytes, of nulls say, may have so many. */
const WEIGHTLESS_MAX = 16;

interface TypeDescription {
  /** Bytes of a value, or of the size before it. */
  readonly width: number;
}

interface Reader {
  read(): unknown;
  read_value(type: TypeDescription): unknown;
  read_n(count: number): unknown[];
  read_array_items(count: number, type: TypeDescription): unknown[];
  remaining(): number;
}

/**
 * Makes rhea's decoder refuse lists and arrays that announce more values than there are bytes for: it reserves room for as
 * many as a peer says, so that some forty bytes, from anybody who can connect, would fill the memory of the hub.
 */
export function boundDecoding(): void {
  const { prototype } = (rhea.types as unknown as { readonly Reader: { readonly prototype: Reader } }).Reader;
  prototype.read_n = function read(this: Reader, count: number): unknown[] {
    check(count <= this.remaining());
    const items: unknown[] = [];
    // Not beforehand for all of them: lists in lists could each announce what is left of the frame.
    while (items.length < count) items.push(this.read());
    return items;
  };
  prototype.read_array_items = function read(this: Reader, count: number, type: TypeDescription): unknown[] {
    check(type.width === 0 ? count <= WEIGHTLESS_MAX : count * type.width <= this.remaining());
    const items: unknown[] = [];
    while (items.length < count) items.push(this.read_value(type));
    return items;
  };
}

function check(isPossible: boolean): void {
  if (!isPossible) throw new Error("a list or an array that announces more values than its frame can hold");
}
