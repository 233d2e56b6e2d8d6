interface Step {
  isDone: boolean;
  readonly commit: () => void;
}

/** Things that are done in any order and take effect in theirs: a step's effect waits for all steps before it. */
export class Sequence {
  #steps: Step[] = [];

  /** Steps that have not taken effect. */
  get length(): number {
    return this.#steps.length;
  }

  /** @returns to be called when the step is done; a step that was forgotten meanwhile has no effect */
  add(commit: () => void): () => void {
    const step: Step = { isDone: false, commit };
    this.#steps.push(step);
    return () => {
      step.isDone = true;
      this.#advance();
    };
  }

  #advance(): void {
    for (let step = this.#steps[0]; step?.isDone; step = this.#steps[0]) {
      this.#steps.shift();
      step.commit();
    }
  }

  forget(): void {
    this.#steps = [];
  }
}
