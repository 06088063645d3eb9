// A Vendure shop on loopback for tests: one product that costs a cent, a payment method that can refund, a hold guard.
// PORT; DB=postgres with PGHOST, PGPORT, PGUSER, PGDATABASE, and FILLED where it is; or sql.js in memory. Prints READY.
const { mkdtempSync, writeFileSync } = require('fs');
const { tmpdir } = require('os');
const { join } = require('path');
const core = require('@vendure/core');
const { populate } = require('@vendure/core/cli');

const en = value => [{ languageCode: core.LanguageCode.en, value }];

// Amounts that end in 66 fail as real gateways do: the answer is a refund, and its state says Failed.
const card = new core.PaymentMethodHandler({
  code: 'tower-card',
  description: en('Pays at once'),
  args: {},
  createPayment: (ctx, order, amount) => ({ amount, state: 'Settled', transactionId: `${Date.now()}-${Math.random()}` }),
  settlePayment: () => ({ success: true }),
  createRefund: async (ctx, input, amount) => {
    // A gateway takes its time; whoever counts only before asking it pays twice.
    await new Promise(resolve => setTimeout(resolve, Number(process.env.REFUND_MS || 20)));
    return amount % 100 === 66
      ? { state: 'Failed', metadata: { why: 'the bank said no' } }
      : { state: 'Settled', transactionId: `${Date.now()}-${Math.random()}` };
  },
});

function openHolds(order) {
  const log = JSON.parse((order.customFields && order.customFields.towerLog) || '[]');
  const released = new Set(log.filter(line => line.action === 'release').map(line => line.target));
  return log.filter(line => line.action === 'hold' && !released.has(line.key));
}

// The line of configuration that docs/stores.md asks for: nothing leaves while a hold is open.
const guard = {
  onTransitionStart: (from, to, { orders }) =>
    (to === 'Shipped' || to === 'Delivered') && orders.some(order => openHolds(order).length)
      ? 'the order is on hold'
      : undefined,
};

const database =
  process.env.DB === 'postgres'
    ? {
        type: 'postgres', host: process.env.PGHOST, port: Number(process.env.PGPORT),
        username: process.env.PGUSER, database: process.env.PGDATABASE, synchronize: true,
      }
    : { type: 'sqljs', synchronize: true };

const config = {
  logger: new core.DefaultLogger({ level: core.LogLevel.Error }),
  apiOptions: { hostname: '127.0.0.1', port: Number(process.env.PORT), adminApiPath: 'admin-api', shopApiPath: 'shop-api' },
  authOptions: {
    tokenMethod: ['bearer', 'api-key'],
    requireVerification: false,
    superadminCredentials: { identifier: 'superadmin', password: process.env.ADMIN_PASSWORD },
  },
  dbConnectionOptions: database,
  orderOptions: { orderItemsLimit: 100000000, orderLineItemsLimit: 100000000 },
  paymentOptions: { paymentMethodHandlers: [card] },
  shippingOptions: { fulfillmentHandlers: [core.manualFulfillmentHandler], process: [core.defaultFulfillmentProcess, guard] },
  customFields: { Order: [{ name: 'towerLog', type: 'text', nullable: true, public: false }] },
  plugins: [],
};

const initialData = {
  defaultLanguage: core.LanguageCode.en,
  defaultZone: 'Europe',
  countries: [{ name: 'Germany', code: 'DE', zone: 'Europe' }],
  taxRates: [{ name: 'none', percentage: 0 }],
  shippingMethods: [{ name: 'Parcel', price: 0 }],
  paymentMethods: [{ name: 'Card', handler: { code: 'tower-card', arguments: [] } }],
  collections: [],
};

const products = `name,slug,description,assets,facets,optionGroups,optionValues,sku,price,taxCategory,stockOnHand,trackInventory,variantAssets,variantFacets
Cent,cent,Costs a cent,,,,,CENT,0.01,standard,100000000,false,,
`;

async function start() {
  if (process.env.FILLED) {
    await core.bootstrap(config);
  } else {
    const csv = join(mkdtempSync(join(tmpdir(), 'vendure-')), 'products.csv');
    writeFileSync(csv, products);
    await populate(() => core.bootstrap(config), initialData, csv);
  }
  console.log('READY');
}

start().catch(fault => {
  console.error(fault);
  process.exit(1);
});
