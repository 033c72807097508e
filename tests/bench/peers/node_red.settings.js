// Node-RED without its editor. The flow needs HMAC and the secret.
module.exports = {
  flowFile: "flows.json",
  httpAdminRoot: false,
  uiHost: "127.0.0.1",
  credentialSecret: false,
  functionGlobalContext: {crypto: require("crypto"), secret: Buffer.from(process.env.DIXA_WEBHOOK_SECRETS, "hex")},
  logging: {console: {level: "warn"}},
};
