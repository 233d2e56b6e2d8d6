import { useEffect, useRef, useState } from "preact/hooks";
import { sentenceOf } from "../data/api.ts";
import type { Session } from "../data/session.ts";

export function Login({ session }: { session: Session }) {
  const [problem, setProblem] = useState("");
  const [isBusy, setBusy] = useState(false);
  const name = useRef<HTMLInputElement>(null);
  const password = useRef<HTMLInputElement>(null);
  useEffect(() => {
    document.title = "Log in · Tailstock office";
    name.current?.focus();
  }, []);
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    setBusy(true);
    setProblem("");
    try {
      await session.login(name.current?.value ?? "", password.current?.value ?? "");
    } catch (error) {
      setProblem(sentenceOf(error));
      setBusy(false);
      password.current?.select();
    }
  };
  return (
    <main class="login">
      <form class="card" onSubmit={(event) => void submit(event)}>
        <p class="brand">
          <img src="/icon.svg" alt="" width="32" height="32" />
          <span>Tailstock</span>
          <span class="site">Office</span>
        </p>
        <h1>Log in</h1>
        {session.hasEnded && (
          <p class="notice">Your session has ended. Log in again; you come back to where you were.</p>
        )}
        <label class="field">
          <span>Name</span>
          <input ref={name} name="username" type="text" autocomplete="username" required spellcheck={false} />
        </label>
        <label class="field">
          <span>Password</span>
          <input ref={password} name="password" type="password" autocomplete="current-password" required />
        </label>
        <div role="alert">{problem !== "" && <p class="notice alarm">{problem}</p>}</div>
        <button type="submit" class="primary" disabled={isBusy}>
          {isBusy ? "Logging in …" : "Log in"}
        </button>
        {session.oidc && (
          <a class="button" href="/api/session/oidc">
            Log in with the company's account
          </a>
        )}
      </form>
    </main>
  );
}
