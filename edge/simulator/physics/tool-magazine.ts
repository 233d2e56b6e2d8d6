import type { Random } from "./random.ts";

/** Worn this far, a tool is exchanged for its sister at the next tool change. */
const EXCHANGE_WEAR = 0.9;

/** The tools of one machine and how worn each is, 0 (new) to 1 (breaks). */
export class ToolMagazine {
  current = 1;
  readonly #wearByTool = new Map<number, number>();
  readonly #lifeSByTool = new Map<number, number>();
  readonly #random: Random;
  /** A forced wear of every tool: bad material or a wrong cutting value, which the tool monitor does not notice. */
  #floor = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  get wear(): number {
    return Math.max(this.#floor, this.#wearByTool.get(this.current) ?? 0);
  }

  get isBroken(): boolean {
    return this.wear >= 1;
  }

  change(tool: number): void {
    this.current = tool;
    if (!this.#wearByTool.has(tool)) {
      this.#wearByTool.set(tool, this.#random.between(0.02, 0.75));
      this.#lifeSByTool.set(tool, this.#random.between(2700, 7200));
    }
    if ((this.#wearByTool.get(tool) ?? 0) >= EXCHANGE_WEAR) this.#wearByTool.set(tool, 0);
  }

  cut(dtS: number, loadPercent: number): void {
    const lifeS = this.#lifeSByTool.get(this.current) ?? 3600;
    const wear = (this.#wearByTool.get(this.current) ?? 0) + (dtS / lifeS) * (0.5 + loadPercent / 80);
    this.#wearByTool.set(this.current, Math.min(0.98, wear));
  }

  /** null: the cause is gone; what has worn through meanwhile still breaks in the next cut. */
  force(level: number | null): void {
    if (level !== null) this.#floor = level;
    else if (this.#floor < 1) this.#floor = 0;
  }

  /** After a breakage: a new tool, and the cause is gone. */
  replaceBroken(): void {
    this.#floor = 0;
    this.#wearByTool.set(this.current, 0);
  }
}
