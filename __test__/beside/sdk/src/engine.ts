import { Key0Error } from "./errors.js";

type Params = Record<string, string>;
type Credentials = { readonly token: string };

export type Config = {
  fetchResourceCredentials: (params: Params) => Promise<Credentials>;
  tokenIssueTimeoutMs?: number;
  tokenIssueRetries?: number;
  /** 500 in the SDK; each delay is twice the one before. */
  retryDelayMs?: number;
};

export function createKey0({ config }: { config: Config }) {
  const { fetchResourceCredentials, tokenIssueTimeoutMs = 15_000 } = config;
  const { tokenIssueRetries = 2, retryDelayMs = 500 } = config;

  async function issue(params: Params): Promise<Credentials> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      const error = new Key0Error("TOKEN_ISSUE_TIMEOUT", "Token issuance timed out", 504);
      timer = setTimeout(reject, tokenIssueTimeoutMs, error);
    });
    const issued = fetchResourceCredentials(params).finally(() => clearTimeout(timer));
    return Promise.race([issued, late]);
  }

  return {
    /** What follows a verified payment: never a second call where the first may be under way. */
    async issueAfterPayment(params: Params): Promise<Credentials> {
      for (let attempt = 0; ; attempt += 1) {
        try {
          return await issue(params);
        } catch (error) {
          if (error instanceof Key0Error && error.code === "TOKEN_ISSUE_TIMEOUT") throw error;
          if (attempt === tokenIssueRetries) throw error;
        }
        await new Promise((resolve) => setTimeout(resolve, retryDelayMs * 2 ** attempt));
      }
    },

    /** What the HTTP integrations answer. */
    answer(error: unknown): { status: number; body: Record<string, unknown> } {
      if (error instanceof Key0Error) return { status: error.httpStatus, body: error.toJSON() };
      return { status: 500, body: { message: String(error) } };
    },
  };
}
