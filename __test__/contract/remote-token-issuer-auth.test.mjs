// @ts-check
/** createRemoteTokenIssuer: what `auth` may be and give, and how its headers go out. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import vm from "node:vm";
import {
  AccessTokenIssuer,
  createRemoteTokenIssuer,
  Key0Error,
  noAuth,
  sharedSecretAuth,
  signedJwtAuth,
} from "../../index.mjs";
import { CANARY, issueFailed, issueTimedOut, rejection, rejectsWith } from "../support/errors.mjs";
import { PAYMENT } from "../support/payment.mjs";
import { httpServer } from "../support/server.mjs";

/** What an answer of the server and its record of the request make of an `auth` that gives this. */
async function headersOf(/** @type {any} */ t, /** @type {any} */ given) {
  const server = await httpServer(t);
  await createRemoteTokenIssuer({ url: server.url, auth: () => given })(PAYMENT);
  return server.requests[0];
}

/** Asserts that the call fails, and that no connection was made. Gives the error. */
async function refuses(
  /** @type {any} */ t,
  /** @type {any} */ auth,
  /** @type {string | RegExp} */ message,
) {
  const server = await httpServer(t);
  const call = createRemoteTokenIssuer({ url: server.url, auth })(PAYMENT);
  const error = await rejectsWith(call, issueFailed(message));
  assert.equal(server.connections(), 0);
  return error;
}

/** @extends {Promise<any>} */
class OwnPromise extends Promise {}
class Holder {
  #secret = "1";
  "X-A" = this.#secret;
  get "X-B"() {
    return "not an own property";
  }
}
const inherited = Object.create(
  { "X-B": "inherited" },
  {
    "X-A": { value: "1", enumerable: true },
    "X-C": { value: "hidden", enumerable: false },
  },
);
/** @type {any} */
const thenable = { then: (/** @type {any} */ ok) => ok({ "X-A": "1" }) };
const ELSEWHERE = vm.createContext();
const elsewhere = (/** @type {string} */ code) => vm.runInContext(code, ELSEWHERE);

describe("what auth gives", () => {
  /** @type {[string, () => unknown][]} */
  const shapes = [
    ["an object", () => ({ "X-A": "1" })],
    ["a promise", () => Promise.resolve({ "X-A": "1" })],
    ["a promise of a subclass", () => OwnPromise.resolve({ "X-A": "1" })],
    // B44
    ["a thenable", () => thenable],
    ["a promise of a thenable", () => Promise.resolve(thenable)],
    ["an object without a prototype", () => ({ __proto__: null, "X-A": "1" })],
    ["an object of a class", () => new Holder()],
    ["an object that inherits and hides others", () => inherited],
    ["Headers", () => new Headers({ "X-A": "1" })],
    ["a promise of Headers", async () => new Headers({ "X-A": "1" })],
    ["a Map", () => new Map([["X-A", "1"]])],
    ["an object of another realm", () => elsewhere('({ "X-A": "1" })')],
    ["a Map of another realm", () => elsewhere('new Map([["X-A", "1"]])')],
    ["a promise of another realm", () => elsewhere('Promise.resolve({ "X-A": "1" })')],
    ["the strategy's object", () => sharedSecretAuth("X-A", "1")()],
  ];
  for (const [name, give] of shapes) {
    it(`may be ${name}`, async (t) => {
      const { headers } = await headersOf(t, give());
      assert.equal(headers["x-a"], "1");
      assert.ok(!("x-b" in headers) && !("x-c" in headers));
    });
  }

  it("may be a thenable that calls back twice: the first counts", async (t) => {
    const twice = {
      then(/** @type {any} */ ok) {
        ok({ "X-A": "1" });
        ok({ "X-A": "2" });
      },
    };
    assert.equal((await headersOf(t, twice)).headers["x-a"], "1");
  });

  it("is waited for until the deadline: a thenable that never calls back", async (t) => {
    const server = await httpServer(t);
    const auth = /** @type {any} */ (() => ({ then() {} }));
    const issue = createRemoteTokenIssuer({ url: server.url, auth, timeoutMs: 100 });
    await rejectsWith(issue(PAYMENT), issueTimedOut({ sent: false }));
    assert.equal(server.connections(), 0);
  });

  it("may be nothing: {} and noAuth()", async (t) => {
    const ours = ["Accept", "Content-Length", "Content-Type", "Host", "Idempotency-Key"];
    for (const given of [{}, noAuth()(), new Headers(), new Map()]) {
      const names = (await headersOf(t, given)).lines.map(([name]) => name);
      assert.deepEqual(names.sort(), [...ours, "User-Agent"]);
    }
  });

  for (const given of [null, undefined, true, false, 0, 42, Number.NaN]) {
    it(`may be ${given}, which means no headers`, async (t) => {
      assert.equal((await headersOf(t, given)).headers.authorization, undefined);
      assert.equal((await headersOf(t, Promise.resolve(given))).method, "POST");
    });
  }

  for (const given of [CANARY, "", Symbol(CANARY), () => ({ "X-A": "1" }), class {}]) {
    it(`must not be a ${typeof given}: nothing is sent`, async (t) => {
      await refuses(t, () => given, /./);
      await refuses(t, async () => given, /./);
    });
  }

  it("may not have getters that throw: the message is theirs", async (t) => {
    const auth = () => ({
      get "X-A"() {
        throw new Error("the vault is locked");
      },
    });
    await refuses(t, auth, "Network error: the vault is locked");
  });
});

describe("an auth that fails", () => {
  /** @type {[string, () => unknown][]} */
  const failing = [
    ["rejects", () => Promise.reject(new Error("no vault"))],
    [
      "throws",
      () => {
        throw new Error("no vault");
      },
    ],
    [
      "gives a thenable that throws",
      () => ({
        then() {
          throw new Error("no vault");
        },
      }),
    ],
    [
      "gives a thenable that refuses",
      () => ({ then: (/** @type {any} */ _, /** @type {any} */ no) => no(new Error("no vault")) }),
    ],
    ["rejects with a TimeoutError", () => Promise.reject(named("TimeoutError"))],
    ["rejects in another realm", () => elsewhere('Promise.reject(new Error("no vault"))')],
  ];
  for (const [name, auth] of failing) {
    it(`${name}: its message is told, nothing is sent`, async (t) => {
      await refuses(t, auth, "Network error: no vault");
    });
  }

  it("has its error's likeness for a cause, without what else it holds", async (t) => {
    const inner = Object.assign(new Error("no route"), { code: "EHOSTUNREACH", socket: CANARY });
    const reason = Object.assign(new TypeError("no vault", { cause: inner }), {
      code: 7,
      config: { headers: { Authorization: CANARY } },
      [Symbol("request")]: CANARY,
    });
    const { cause } = await refuses(t, () => Promise.reject(reason), "Network error: no vault");
    assert.notEqual(cause, reason);
    const { name, message, code, stack, sent } = cause;
    assert.deepEqual(
      { name, message, code, stack, sent },
      { name: "TypeError", message: "no vault", code: 7, stack: reason.stack, sent: false },
    );
    assert.ok(!("config" in cause) && !("socket" in cause.cause));
    assert.equal(cause.cause.code, "EHOSTUNREACH");
    assert.equal(cause.cause.stack, inner.stack);
  });

  it("may be its own cause, or have a hundred", async (t) => {
    const own = new Error("no vault");
    own.cause = own;
    const { cause } = await refuses(t, () => Promise.reject(own), "Network error: no vault");
    assert.equal(cause.cause, undefined);
    let reason = new Error("0");
    for (let i = 1; i < 100; i += 1) reason = new Error(`${i}`, { cause: reason });
    let depth = 0;
    let link = await refuses(t, () => Promise.reject(reason), "Network error: 99");
    while (link.cause) {
      link = link.cause;
      depth += 1;
    }
    assert.equal(depth, 8);
  });

  it("may have an error of which nothing can be read", async (t) => {
    const { proxy, revoke } = Proxy.revocable(new Error("no vault"), {});
    const broken = new Error("no vault");
    for (const field of ["stack", "name", "code", "cause"]) {
      Object.defineProperty(broken, field, {
        get() {
          throw new Error("unreadable");
        },
      });
    }
    const auth = () => {
      revoke();
      throw proxy;
    };
    const unread = await refuses(t, auth, "Network error: an error that cannot be read");
    assert.equal(unread.cause.message, "an error that cannot be read");
    const { cause } = await refuses(t, () => Promise.reject(broken), /./);
    assert.equal(cause.message, "no vault");
    assert.equal(cause.stack, "Error: no vault");
  });

  for (const reason of ["text", undefined, null, 42, Symbol("s"), {}]) {
    it(`by what is no error (${typeof reason} ${String(reason)}) is a network error`, async (t) => {
      await refuses(t, () => Promise.reject(reason), /^Network error: ./);
      await refuses(
        t,
        () => {
          throw reason;
        },
        /^Network error: ./,
      );
    });
  }

  /** @type {[string, Error][]} */
  const aborted = [
    ["an Error named AbortError", named("AbortError")],
    ["a DOMException named AbortError", new DOMException("aborted", "AbortError")],
    ["the reason of an AbortController", AbortSignal.abort().reason],
  ];
  for (const [name, reason] of aborted) {
    it(`by ${name} is a timeout`, async (t) => {
      const server = await httpServer(t);
      const issue = createRemoteTokenIssuer({
        url: server.url,
        auth: () => Promise.reject(reason),
      });
      await rejectsWith(issue(PAYMENT), issueTimedOut({ sent: false }));
      assert.equal(server.connections(), 0);
    });
  }

  it("by an instance of a class below Key0Error passes that same object on", async (t) => {
    class VaultError extends Key0Error {
      name = "VaultError";
    }
    const server = await httpServer(t);
    const reason = new VaultError("ADAPTER_ERROR", "the vault is closed", 503);
    const issue = createRemoteTokenIssuer({ url: server.url, auth: () => Promise.reject(reason) });
    assert.equal(await rejection(issue(PAYMENT)), reason);
    assert.equal(server.requests.length, 0);
  });

  it("by any Key0Error passes that same object on", async (t) => {
    class Key0Error extends Error {
      name = "Key0Error";
      code = "PAYMENT_FAILED";
      httpStatus = 402;
    }
    const server = await httpServer(t);
    const reason = Object.freeze(new Key0Error("their own sentence"));
    for (const auth of [
      () => Promise.reject(reason),
      () => {
        throw reason;
      },
    ]) {
      const error = await rejection(createRemoteTokenIssuer({ url: server.url, auth })(PAYMENT));
      assert.equal(error, reason);
    }
    assert.equal(server.connections(), 0);
  });

  /** @param {string} name */
  function named(name) {
    return Object.assign(new Error("no vault"), { name });
  }
});

describe("a header's value", () => {
  /** @type {[unknown, string][]} */
  const values = [
    ["text", "text"],
    ["", ""],
    [1, "1"],
    [1.5, "1.5"],
    [-0, "0"],
    [1e21, "1e+21"],
    [Number.NaN, "NaN"],
    [true, "true"],
    [false, "false"],
    [10n ** 20n, "100000000000000000000"],
    [["a", "b"], "a,b"],
    [[], ""],
    [["a", null, ["b", 1]], "a,,b,1"],
  ];
  for (const [value, sent] of values) {
    it(`${typeof value} ${String(value)} goes out as ${JSON.stringify(sent)}`, async (t) => {
      assert.equal((await headersOf(t, { "X-A": value })).headers["x-a"], sent);
    });
  }

  /** @type {[string, unknown][]} */
  const refused = [
    ["null", null],
    ["undefined", undefined],
    ["a symbol", Symbol(CANARY)],
    ["an object", { value: CANARY }],
    ["a Date", new Date(0)],
    ["a line break inside", `${CANARY}\n${CANARY}`],
    ["NUL", `${CANARY}\0`],
    ["a character above U+00FF", `${CANARY}密`],
  ];
  for (const [name, value] of refused) {
    it(`${name} is refused with the header's name, nothing is sent`, async (t) => {
      await refuses(t, () => ({ "X-Good": "1", "X-Bad": value }), /\bX-Bad\b/);
      await refuses(t, () => new Map([["X-Bad", value]]), /\bX-Bad\b/);
    });
  }

  it("is not looked at where the name is no HTTP token: nothing is sent", async (t) => {
    for (const name of ["", "no name", "X:A", "X-Ä", "X\n"]) {
      await refuses(t, () => ({ [name]: CANARY }), /./);
    }
  });
});

describe("a strategy whose signer is replaced between two calls", () => {
  const replaced = async () => ({ token: "replaced" });
  const sentBy = ["ours", "replaced", "ours", "replaced", "ours"];
  for (const first of [0, 1]) {
    it(`is asked by who signs at each call, first ${sentBy[first]}`, async (t) => {
      const server = await httpServer(t);
      const signer = new AccessTokenIssuer("a secret of thirty-two characters");
      const own = signer.sign;
      const auth = signedJwtAuth(signer, "https://backend.internal");
      const issue = createRemoteTokenIssuer({ url: server.url, auth });
      for (const by of sentBy.slice(first)) {
        signer.sign = by === "ours" ? own : replaced;
        await issue(PAYMENT);
      }
      const signed = server.requests.map(({ headers }) => String(headers.authorization));
      const seen = signed.map((it) => (/^Bearer ey/.test(it) ? "ours" : it.split(" ")[1]));
      assert.deepEqual(seen, sentBy.slice(first));
    });
  }
});

// D28
describe("too many headers", () => {
  it("are told by their number: nothing is sent", async (t) => {
    const auth = () =>
      Object.fromEntries(Array.from({ length: 40_000 }, (_, i) => [`X-${i}`, "1"]));
    await refuses(t, auth, "Network error: auth gave 40000 headers, more than can be sent");
  });
});

describe("the auth headers", () => {
  for (const name of ["content-type", "ACCEPT", "User-agent", "IDEMPOTENCY-KEY"]) {
    it(`replace ours: ${name}`, async (t) => {
      const { lines } = await headersOf(t, { [name]: "own" });
      const same = lines.filter(([sent]) => sent.toLowerCase() === name.toLowerCase());
      assert.deepEqual(
        same.map(([, value]) => value),
        ["own"],
      );
    });
  }

  it("given twice, in two spellings, are joined", async (t) => {
    const { lines } = await headersOf(t, { "X-Key": "1", "x-key": "2" });
    assert.deepEqual(
      lines.filter(([name]) => /^x-key$/i.test(name)),
      [["X-Key", "1, 2"]],
    );
  });

  it("given twice in place of one of ours are joined too", async (t) => {
    const { headers } = await headersOf(t, { Accept: "text/a", accept: "text/b" });
    assert.equal(headers.accept, "text/a, text/b");
  });

  it("may name the Host, once", async (t) => {
    const { lines } = await headersOf(t, { host: "backend.internal" });
    assert.deepEqual(
      lines.filter(([name]) => /^host$/i.test(name)),
      [["Host", "backend.internal"]],
    );
  });

  const forbidden = ["Content-Length", "transfer-encoding", "CONNECTION", "Expect", "TE"];
  for (const name of [...forbidden, "Trailer", "Upgrade"]) {
    it(`may not hold ${name}: nothing is sent`, async (t) => {
      const value = name === "Content-Length" ? "0" : "chunked";
      await refuses(t, () => ({ [name]: value }), new RegExp(name, "i"));
    });
  }
});
