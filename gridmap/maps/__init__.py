"""Maps: folium shells, our plugins, symbols, tiles and static figures."""
