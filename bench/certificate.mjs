// @ts-check
import { execFileSync } from "node:child_process";
import { join } from "node:path";

/**
 * Makes a self-signed certificate for 127.0.0.1 in `folder`. Where its key and it are.
 *
 * @param {string} folder
 */
export function certificate(folder) {
  const [key, cert] = ["key.pem", "cert.pem"].map((name) => join(folder, name));
  execFileSync(
    "openssl",
    `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=bench
     -addext subjectAltName=IP:127.0.0.1 -keyout ${key} -out ${cert}`.split(/\s+/),
    { stdio: "ignore" },
  );
  return { key, cert };
}
