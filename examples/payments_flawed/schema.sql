CREATE TABLE tenants (
	id UUID NOT NULL,
	name VARCHAR(100) NOT NULL,
	PRIMARY KEY (id),
	UNIQUE (name)
);

CREATE TABLE processor_events (
	id VARCHAR(100) NOT NULL,
	kind VARCHAR(50) NOT NULL,
	received_at TIMESTAMP WITH TIME ZONE NOT NULL,
	PRIMARY KEY (id)
);

CREATE TABLE outbox (
	id UUID NOT NULL,
	kind VARCHAR(50) NOT NULL,
	payload JSONB NOT NULL,
	state VARCHAR(10) NOT NULL,
	attempts BIGINT NOT NULL,
	due_at TIMESTAMP WITH TIME ZONE NOT NULL,
	PRIMARY KEY (id)
);

CREATE TABLE api_keys (
	digest VARCHAR(64) NOT NULL,
	tenant_id UUID NOT NULL,
	revoked_at TIMESTAMP WITH TIME ZONE,
	PRIMARY KEY (digest),
	FOREIGN KEY(tenant_id) REFERENCES tenants (id)
);

CREATE TABLE customers (
	id UUID NOT NULL,
	tenant_id UUID NOT NULL,
	email VARCHAR(254) NOT NULL,
	name VARCHAR(200) NOT NULL,
	created_at TIMESTAMP WITH TIME ZONE NOT NULL,
	PRIMARY KEY (id),
	FOREIGN KEY(tenant_id) REFERENCES tenants (id)
);

CREATE TABLE idempotency_keys (
	tenant_id UUID NOT NULL,
	key VARCHAR(100) NOT NULL,
	fingerprint VARCHAR(64) NOT NULL,
	resource_id UUID NOT NULL,
	created_at TIMESTAMP WITH TIME ZONE NOT NULL,
	PRIMARY KEY (tenant_id, key),
	FOREIGN KEY(tenant_id) REFERENCES tenants (id)
);

CREATE TABLE accounts (
	tenant_id UUID NOT NULL,
	currency VARCHAR(3) NOT NULL,
	balance_minor BIGINT NOT NULL,
	PRIMARY KEY (tenant_id, currency),
	FOREIGN KEY(tenant_id) REFERENCES tenants (id)
);

CREATE TABLE ledger_entries (
	id UUID NOT NULL,
	tenant_id UUID NOT NULL,
	source_id UUID,
	kind VARCHAR(10) NOT NULL,
	currency VARCHAR(3) NOT NULL,
	amount_minor BIGINT NOT NULL,
	created_at TIMESTAMP WITH TIME ZONE NOT NULL,
	PRIMARY KEY (id),
	CONSTRAINT ledger_source_kind UNIQUE (source_id, kind),
	FOREIGN KEY(tenant_id) REFERENCES tenants (id)
);

CREATE TABLE settlements (
	tenant_id UUID NOT NULL,
	day DATE NOT NULL,
	currency VARCHAR(3) NOT NULL,
	total_minor DOUBLE PRECISION NOT NULL,
	PRIMARY KEY (tenant_id, day, currency),
	FOREIGN KEY(tenant_id) REFERENCES tenants (id)
);

CREATE TABLE orders (
	id UUID NOT NULL,
	number BIGINT NOT NULL,
	tenant_id UUID NOT NULL,
	customer_id UUID NOT NULL,
	amount_minor BIGINT NOT NULL,
	currency VARCHAR(3) NOT NULL,
	status VARCHAR(10) NOT NULL,
	attempts BIGINT NOT NULL,
	created_at TIMESTAMP WITH TIME ZONE NOT NULL,
	PRIMARY KEY (id),
	CONSTRAINT orders_amount_positive CHECK (amount_minor > 0),
	UNIQUE (number),
	FOREIGN KEY(tenant_id) REFERENCES tenants (id),
	FOREIGN KEY(customer_id) REFERENCES customers (id)
);

CREATE TABLE charges (
	id UUID NOT NULL,
	tenant_id UUID NOT NULL,
	order_id UUID NOT NULL,
	amount_minor BIGINT NOT NULL,
	currency VARCHAR(3) NOT NULL,
	payment_token VARCHAR(200) NOT NULL,
	status VARCHAR(10) NOT NULL,
	processor_ref VARCHAR(100),
	created_at TIMESTAMP WITH TIME ZONE NOT NULL,
	PRIMARY KEY (id),
	FOREIGN KEY(tenant_id) REFERENCES tenants (id),
	FOREIGN KEY(order_id) REFERENCES orders (id)
);

CREATE TABLE refunds (
	id UUID NOT NULL,
	tenant_id UUID NOT NULL,
	charge_id UUID NOT NULL,
	amount_minor BIGINT NOT NULL,
	status VARCHAR(10) NOT NULL,
	processor_ref VARCHAR(100),
	created_at TIMESTAMP WITH TIME ZONE NOT NULL,
	PRIMARY KEY (id),
	CONSTRAINT refunds_amount_positive CHECK (amount_minor > 0),
	FOREIGN KEY(tenant_id) REFERENCES tenants (id),
	FOREIGN KEY(charge_id) REFERENCES charges (id)
);

CREATE TABLE evidence (
	id UUID NOT NULL,
	tenant_id UUID NOT NULL,
	charge_id UUID NOT NULL,
	label VARCHAR(100) NOT NULL,
	PRIMARY KEY (id),
	FOREIGN KEY(tenant_id) REFERENCES tenants (id),
	FOREIGN KEY(charge_id) REFERENCES charges (id)
);

CREATE INDEX charges_by_status ON charges (status, created_at);

CREATE INDEX charges_page ON charges (tenant_id, created_at, id);

CREATE INDEX customers_page ON customers (tenant_id, created_at, id);

CREATE INDEX customers_tenant_email ON customers (tenant_id, email);

CREATE INDEX ix_api_keys_tenant_id ON api_keys (tenant_id);

CREATE INDEX ix_charges_order_id ON charges (order_id);

CREATE INDEX ix_evidence_charge_id ON evidence (charge_id);

CREATE INDEX ix_evidence_tenant_id ON evidence (tenant_id);

CREATE INDEX ix_orders_customer_id ON orders (customer_id);

CREATE INDEX ix_refunds_tenant_id ON refunds (tenant_id);

CREATE INDEX ledger_by_day ON ledger_entries (created_at);

CREATE INDEX ledger_by_time ON ledger_entries (tenant_id, created_at);

CREATE INDEX orders_page ON orders (tenant_id, created_at, id);

CREATE INDEX outbox_due ON outbox (state, due_at);

CREATE INDEX refunds_by_status ON refunds (status, created_at);

CREATE INDEX settlements_by_day ON settlements (day);
