-- What the generated rules below call. One state a worker; counts are kept for their window only.
local find, sub, lower, match, gmatch = string.find, string.sub, string.lower, string.match, string.gmatch
local floor, format = math.floor, string.format

local function has(value, part) return value and find(value, part, 1, true) ~= nil end
local function is(value, pattern) return value and find(value, pattern) ~= nil end
local function begins(value, part) return value and sub(value, 1, #part) == part end
local function ends(value, part) return value and sub(value, -#part) == part end
local function parameter(query, pattern) return query and match(query, pattern) end

local function four(text)
  local a, b, c, d = match(text, "^(%d+)%.(%d+)%.(%d+)%.(%d+)$")
  return a and a * 16777216 + b * 65536 + c * 256 + d
end

local function groups(text)
  local all = {}
  for group in gmatch(text, "[^:]+") do all[#all + 1] = format("%04x", tonumber(group, 16) or 0) end
  return all
end

-- The upper half of an IPv6 address in hexadecimal digits.
local function six(text)
  local at = find(text, "::", 1, true)
  local first = groups(at and sub(text, 1, at - 1) or text)
  local last = groups(at and sub(text, at + 2) or "")
  while #first + #last < 8 do first[#first + 1] = "0000" end
  for _, group in ipairs(last) do first[#first + 1] = group end
  return table.concat(first, "", 1, 4)
end

local function set(sets, size)
  for _, known in ipairs(sets) do if known.size == size then return known.held end end
  local held = {}
  sets[#sets + 1] = { size = size, held = held }
  return held
end

-- Networks parted by white space: single addresses by their text, others by their first bits.
local function list(text)
  local made = { single = {}, four = {}, six = {} }
  for entry in gmatch(text, "%S+") do
    local address, bits = match(entry, "^(.-)/(%d+)$")
    if not bits then
      made.single[entry] = true
    elseif find(address, ":", 1, true) then
      set(made.six, bits / 4)[sub(six(address), 1, bits / 4)] = true
    else
      local size = 2 ^ (32 - bits)
      set(made.four, size)[floor(four(address) / size)] = true
    end
  end
  return made
end

local function within(networks, address)
  if networks.single[address] then return true end
  if find(address, ":", 1, true) then
    local digits = six(address)
    for _, of in ipairs(networks.six) do if of.held[sub(digits, 1, of.size)] then return true end end
    return false
  end
  local number = four(address)
  if not number then return false end
  for _, of in ipairs(networks.four) do if of.held[floor(number / of.size)] then return true end end
  return false
end

local function scanner(agent)
  if not agent then return false end
  local text = lower(agent)
  for _, name in ipairs(SCANNERS) do if find(text, name, 1, true) then return true end end
  return false
end

local windows = {}
local function over(name, key, requests, seconds)
  local now = os.time()
  local begin = now - now % seconds
  local window = windows[name]
  if not window or window.begin ~= begin then
    window = { begin = begin, counts = {} }
    windows[name] = window
  end
  local count = (window.counts[key] or 0) + 1
  window.counts[key] = count
  return count > requests
end

local lazy = { __index = function(known, name)
  local value = rawget(known, 1):get(name) or false
  rawset(known, name, value)
  return value
end }

local lists, networks, hosts, host_limits = {}, {}, {}, {}
