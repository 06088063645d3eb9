// A Medusa shop on loopback for tests: no dashboard, everything in memory but the database.
const { defineConfig } = require('@medusajs/framework/utils');

module.exports = defineConfig({
  admin: { disable: true },
  projectConfig: {
    databaseUrl: process.env.DATABASE_URL,
    http: {
      storeCors: 'http://127.0.0.1', adminCors: 'http://127.0.0.1', authCors: 'http://127.0.0.1',
      jwtSecret: process.env.SECRET, cookieSecret: process.env.SECRET,
    },
  },
});
