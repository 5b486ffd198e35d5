// What a project tests with the addon in it, in the words that Vitest and Jest share: `runner` is
// their object of mocks, `load` imports the package, `fresh` takes it anew where there are RESETS.
const { BACKEND, SILENT, CLOSED, TOKEN_URL } = process.env;
const params = { requestId: "r", challengeId: "c", resourceId: "p", planId: "b", txHash: "t" };
const claims = { sub: "s", jti: "j", resourceId: "r", planId: "p", txHash: "x" };
const secret = "s".repeat(32);
const client = { tokenUrl: TOKEN_URL, clientId: "id", clientSecret: "s3cr3t" };

/** Everything once. */
async function works({ AccessTokenIssuer, Key0Error, ...key0 }) {
  const issuer = new AccessTokenIssuer(secret);
  const { token } = await issuer.sign(claims, 60);
  expect((await key0.validateKey0Token(`Bearer ${token}`, { secret })).jti).toBe("j");
  const oauth = key0.oauthClientCredentialsAuth(client);
  for (const auth of [undefined, key0.signedJwtAuth(issuer, "b"), oauth]) {
    expect(await key0.createRemoteTokenIssuer({ url: BACKEND, auth })(params)).toEqual({
      token: "t",
      tokenType: "Bearer",
    });
  }
  const failing = key0.createRemoteTokenIssuer({ url: CLOSED })(params);
  const error = await failing.catch((reason) => reason);
  expect(error).toBeInstanceOf(Key0Error);
  expect(error).toBeInstanceOf(Error);
  expect(error.cause).toBeInstanceOf(Error);
  expect([error.code, error.cause.code]).toEqual(["TOKEN_ISSUE_FAILED", "ECONNREFUSED"]);
  expect(error.toJSON().message).toBe("Network error: connection refused (ECONNREFUSED)");
}

describe("the addon", () => {
  afterEach(() => {
    runner.useRealTimers();
    runner.restoreAllMocks();
  });

  it("works", async () => {
    await works(await load());
  });

  // B41
  it("works in each copy after 30 resets of the modules", async () => {
    const classes = new Set();
    const early = fresh();
    for (let i = 0; i < 30; i += 1) {
      const copy = fresh();
      classes.add(copy.Key0Error);
      await works(copy);
    }
    expect(classes.size).toBe(RESETS ? 30 : 1);
    // Its first issuer comes only now.
    await works(early);
  });

  // B53
  it("knows the errors of another copy by their name, and passes them on", async () => {
    const [one, other] = [fresh(), fresh()];
    expect(one.Key0Error === other.Key0Error).toBe(!RESETS);
    const own = new one.Key0Error("PAYMENT_FAILED", "of the other copy", 402);
    const throwing = other.createRemoteTokenIssuer({
      url: BACKEND,
      auth: () => Promise.reject(own),
    });
    expect(await throwing(params).catch((reason) => reason)).toBe(own);
    const oauth = one.oauthClientCredentialsAuth({ ...client, tokenUrl: CLOSED });
    const failed = await other
      .createRemoteTokenIssuer({ url: BACKEND, auth: oauth })(params)
      .catch((reason) => reason);
    expect([failed.name, failed.code, failed.httpStatus]).toEqual([
      "Key0Error",
      "INTERNAL_ERROR",
      500,
    ]);
  });

  // B46
  it("keeps its deadlines in real time, and reads faked clocks", async () => {
    const { AccessTokenIssuer, createRemoteTokenIssuer, signedJwtAuth } = await load();
    runner.useFakeTimers({ now: 1_000_000_000_000 });
    const issuer = new AccessTokenIssuer(secret);
    expect(await createRemoteTokenIssuer({ url: BACKEND })(params)).toMatchObject({ token: "t" });
    const hanging = () => new Promise(() => {});
    for (const auth of [undefined, hanging, signedJwtAuth(issuer, "b")]) {
      const silent = createRemoteTokenIssuer({ url: SILENT, timeoutMs: 300, auth });
      const error = await silent(params).catch((reason) => reason);
      expect(error.code).toBe("TOKEN_ISSUE_TIMEOUT");
    }
    const { Authorization } = await signedJwtAuth(issuer, "b")();
    const payload = JSON.parse(atob(Authorization.split(".")[1]));
    expect([payload.iat, payload.exp]).toEqual([1_000_000_000, 1_000_000_060]);
  });

  it("calls a spy in the place of its issuer's sign, and thenables of this realm", async () => {
    const { AccessTokenIssuer, createRemoteTokenIssuer, signedJwtAuth } = await load();
    const issuer = new AccessTokenIssuer(secret);
    const spy = runner.spyOn(issuer, "sign");
    await signedJwtAuth(issuer, "b")();
    expect(spy).toHaveBeenCalledTimes(1);
    spy.mockResolvedValue({ token: "of-the-spy" });
    expect(await signedJwtAuth(issuer, "b")()).toEqual({ Authorization: "Bearer of-the-spy" });
    const auth = () => ({ then: (resolve) => resolve(new Map([["X-A", "1"]])) });
    const issue = createRemoteTokenIssuer({ url: BACKEND, auth });
    expect((await issue(params)).token).toBe("t");
    for (const broken of [{ then: 1 }, null, new Error("e")]) {
      await createRemoteTokenIssuer({ url: BACKEND, auth: () => broken })(params).catch((error) => {
        expect(error.code).toBe("TOKEN_ISSUE_FAILED");
      });
    }
  });

  it("is mocked by the runner's means", async () => {
    runner.resetModules();
    runner.doMock("@key0ai/native", () => ({ noAuth: () => async () => ({ "X-Mocked": "1" }) }));
    expect(await (await load()).noAuth()()).toEqual({ "X-Mocked": "1" });
    (runner.doUnmock ?? runner.dontMock)("@key0ai/native");
    runner.resetModules();
    expect(await (await load()).noAuth()()).toEqual({});
  });

  it("is answered by a mock of fetch, and by servers once that is put back", async () => {
    const { createRemoteTokenIssuer, oauthClientCredentialsAuth } = await load();
    const auth = oauthClientCredentialsAuth({ ...client, tokenUrl: "https://idp.test/token" });
    const issue = createRemoteTokenIssuer({ url: "https://backend.test/issue", auth });
    const real = createRemoteTokenIssuer({ url: BACKEND });
    const own = globalThis.fetch;
    const answers = { access_token: "a", expires_in: 3600, token: "mocked" };
    globalThis.fetch = runner.fn(async () => ({
      ok: true,
      status: 200,
      json: async () => answers,
    }));
    expect(await issue(params)).toEqual({ token: "mocked", tokenType: "Bearer" });
    expect(globalThis.fetch.mock.calls.map(([url]) => url)).toEqual([
      "https://idp.test/token",
      "https://backend.test/issue",
    ]);
    const [, { method, headers, body }] = globalThis.fetch.mock.calls[1];
    expect(method).toBe("POST");
    expect(headers).toMatchObject({
      "Content-Type": "application/json",
      Authorization: "Bearer a",
    });
    expect(JSON.parse(body)).toEqual(params);
    globalThis.fetch = own;
    const spy = runner.spyOn(globalThis, "fetch");
    spy.mockRejectedValueOnce(new Error("ECONNREFUSED of the mock"));
    const error = await real(params).catch((reason) => reason);
    expect(error.message).toBe("Network error: ECONNREFUSED of the mock");
    spy.mockImplementation(async () => new Response("busy", { status: 503 }));
    expect((await real(params).catch((reason) => reason)).cause.body).toBe("busy");
    spy.mockRestore();
    expect((await real(params)).token).toBe("t");
  });

  it("refuses a wrong argument with this realm's TypeError", async () => {
    const { createRemoteTokenIssuer, sharedSecretAuth } = await load();
    expect(() => sharedSecretAuth("X-A", undefined)).toThrow(TypeError);
    expect(() => createRemoteTokenIssuer({ url: BACKEND, timeoutMs: -1 })).toThrow(RangeError);
  });
});
