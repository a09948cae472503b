-- What an erasure leaves: that somebody whose address hashes to this, with our key, refused these cells (N13).
create table nurture.erasures (
    address_hash text not null,        -- HMAC-SHA256 of the address under NURTURE_TOKEN_KEY
    product text not null default '*',
    mail_type text not null default '*',
    refused_at timestamptz not null,
    erased_at timestamptz not null,
    recorded_at timestamptz not null default now(),
    primary key (address_hash, product, mail_type)
);
