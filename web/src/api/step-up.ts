type Answer = (steppedUp: boolean) => void;

/**
 * Some changes need a second factor that was shown lately. Whoever runs into that waits here, while the page asks for
 * the code once, and goes on where they were.
 */
class StepUp {
  #waiting: Answer[] = [];
  readonly #listeners = new Set<() => void>();

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly isAsked = (): boolean => this.#waiting.length > 0;

  /** Whether the person has shown it; false when they would rather not. */
  ask(): Promise<boolean> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#tell();
    });
  }

  answer(steppedUp: boolean): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#tell();
    for (const resolve of waiting) resolve(steppedUp);
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}

export const stepUp = new StepUp();
