/** What this package has to fit of the SDK's types: a stand-in, written from the contract. */

export type IssueTokenParams = {
  readonly requestId: string;
  readonly challengeId: string;
  readonly resourceId: string;
  readonly planId: string;
  readonly txHash: string;
};

export type TokenIssuanceResult = { readonly token: string; readonly tokenType?: string };

export type SellerConfig = {
  fetchResourceCredentials: (params: IssueTokenParams) => Promise<TokenIssuanceResult>;
};

export class Key0Error extends Error {
  constructor(code: "INTERNAL_ERROR" | "ADAPTER_ERROR", message: string, httpStatus?: number);
  readonly code: "INTERNAL_ERROR" | "ADAPTER_ERROR";
  readonly httpStatus: number;
  readonly details?: Record<string, unknown>;
  toJSON(): Record<string, unknown>;
}

export class AccessTokenIssuer {
  constructor(secret: string);
  private readonly secret: string;
  sign(
    claims: { sub: string; jti: string; resourceId: string; planId: string; txHash: string },
    ttlSeconds: number,
  ): Promise<{ token: string }>;
}
