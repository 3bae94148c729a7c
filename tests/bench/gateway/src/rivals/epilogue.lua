
function envoy_on_request(handle)
  local h = setmetatable({ handle:headers() }, lazy)
  local path, method = h[":path"], h[":method"]
  local p, q = path, false
  local at = find(path, "?", 1, true)
  if at then p, q = sub(path, 1, at - 1), "&" .. sub(path, at + 1) end
  local a = h["x-forwarded-for"]
  a = a and match(a, "([^,%s]+)%s*$") or ""
  local host = h[":authority"]
  local refused = mandates(h, p, q, method, a)
  if not refused and not allowed(h, p, q, method, a) then
    refused = blocked(h, p, q, method, a)
    local own = not refused and hosts[host]
    if own then refused = own(h, p, q, method, a) end
  end
  if refused then
    handle:respond({ [":status"] = "403", ["content-type"] = "text/plain" }, "refused by " .. refused .. "\n")
    return
  end
  local limited = limits(h, p, q, method, a)
  local own = not limited and host_limits[host]
  if own then limited = own(h, p, q, method, a) end
  if limited then
    handle:respond({ [":status"] = "429", ["content-type"] = "text/plain" }, "limited by " .. limited .. "\n")
  end
end
