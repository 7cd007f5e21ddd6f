insert into tasker.templates (namespace, name, version, hash, source, steps)
select namespace, name, version, hash, source, array(select json_array_elements_text(steps::json))
  from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[])
       as t (namespace, name, version, hash, source, steps)
    on conflict (hash) do nothing
